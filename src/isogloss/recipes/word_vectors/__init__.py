"""Vectors of words, learned from running text."""
