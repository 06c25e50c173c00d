"""Recipes that make vectors and models smaller, and keep them."""
