"""What ``isogloss train``, ``distill`` and ``merge`` do: read, split, train, judge on held-out rows, write a folder."""
