"""Whole jobs made of several parts: what a command does when it does more than one thing."""
