"""What spaces of vectors look like, and what that does to them."""
