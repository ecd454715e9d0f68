"""Safe fetching against a real HTTP server."""
