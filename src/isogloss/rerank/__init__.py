"""Rerankers: score a query with each of its candidate documents; raw logits."""
