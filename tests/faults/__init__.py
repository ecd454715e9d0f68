"""A whole stack whose processes are killed in the middle of their work."""
