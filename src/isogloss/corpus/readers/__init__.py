"""One file a format; each is found by its name and imported only when a file needs it."""
