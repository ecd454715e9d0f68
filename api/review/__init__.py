"""Reviews: API routes."""
