"""External product databases, one a file."""
