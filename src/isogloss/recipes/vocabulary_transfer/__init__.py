"""Systems that give a model another vocabulary."""
