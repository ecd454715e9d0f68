"""API keys: API routes."""
