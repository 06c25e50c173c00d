"""Torch-free learners that fit an artifact from texts."""
