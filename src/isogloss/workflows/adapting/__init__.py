"""``isogloss adapt``: a model fitted to somebody's documents without labels, kept only where it is proved better."""
