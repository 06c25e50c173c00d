"""Learned sparse vectors, and several vectors a text."""
