"""Benchmarks, studies and tests of embeddings."""
