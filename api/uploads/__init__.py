"""Photo uploads: API routes."""
