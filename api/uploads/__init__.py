"""Photo uploads over HTTP."""
