"""Measures models, searches and whatever else has a score: data, tasks, metrics, statistics, reports."""
