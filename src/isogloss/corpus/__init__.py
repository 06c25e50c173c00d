"""Documents: reading, chunks, equal and near-equal texts, languages."""
