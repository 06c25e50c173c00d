"""Transforms on dense vectors after scikit-learn's contract."""
