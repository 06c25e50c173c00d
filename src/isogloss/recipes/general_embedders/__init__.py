"""Recipes of encoders that are to serve all tasks at once."""
