"""Results as a terminal table, Markdown, JSON, one HTML page, MTEB results and model-card entries."""
