"""The departments of the sample catalogue, one module per department."""
