"""Sentence vectors from pre-trained models."""
