"""The one training loop, its stages, batches, schedules, checkpoints, adapters and merges. ``isogloss[train]``."""
