"""The departments of the sample catalogue, one module each."""
