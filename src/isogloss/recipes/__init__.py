"""Published systems as recipes of parts, one module a system, each with a check of its claim."""
