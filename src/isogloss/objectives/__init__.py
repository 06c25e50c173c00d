"""Training objectives by mechanism: each is a formula from a model's outputs to unreduced losses."""
