"""The index on disk: a SQLite catalogue as the only commit point, and immutable array files beside it."""
