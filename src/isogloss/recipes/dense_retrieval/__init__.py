"""Recipes of dense retrieval."""
