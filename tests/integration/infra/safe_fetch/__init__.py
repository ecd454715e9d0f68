"""Safe fetching from real servers."""
