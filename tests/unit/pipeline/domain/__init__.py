"""The domain and its rules."""
