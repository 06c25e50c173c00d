"""Systems that choose or clean what others learn from."""
