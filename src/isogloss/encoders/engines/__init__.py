"""Engines that run a transformer's forward pass without torch."""
