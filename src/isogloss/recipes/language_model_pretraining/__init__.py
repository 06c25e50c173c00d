"""How language models are pre-trained, and what from."""
