"""Torch modules by mechanism: token packing, transformers, poolings, heads. Needs ``pip install isogloss[train]``."""
