"""Words and sentences of a text, without a model."""
