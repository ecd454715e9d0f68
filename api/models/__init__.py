"""Model versions: API routes and pages."""
