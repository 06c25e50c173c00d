"""Text from models: clients for endpoints that the user names."""
