"""The program ``isogloss``: parse, call, print; what it does lies in the floors below."""
