"""Intervals, paired tests, corrections, tie groups, power: what a difference between two scores is worth."""
