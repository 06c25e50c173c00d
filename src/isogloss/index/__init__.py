"""Finding the nearest rows: exact scan, posting lists, fusion, filters, and the index on disk."""
