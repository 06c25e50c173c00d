"""Questions made from documents without labels: titles, headings, held-out sentences, key phrases, definitions."""
