"""A user at the command line and in a real browser."""
