"""The Lab's base models: small, trained here in a minute, each admitted by a test; one file a model."""
