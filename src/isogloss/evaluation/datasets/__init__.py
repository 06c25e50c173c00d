"""Data cards, one file each, and the loader that turns a card into plain examples."""
