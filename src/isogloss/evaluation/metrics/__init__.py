"""Metrics: from what a system answered to a sample of items with an aggregate."""
