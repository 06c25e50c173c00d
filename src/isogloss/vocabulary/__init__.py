"""Tokenizers and their bundled vocabulary."""
