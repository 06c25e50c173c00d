"""The user's index as one object: open, add, remove, search, compact, check, export."""
