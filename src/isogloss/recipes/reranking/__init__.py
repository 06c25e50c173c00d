"""Recipes of reranking."""
