"""Collections over HTTP: queries to product databases that run by a schedule."""
