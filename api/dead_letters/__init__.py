"""Dead letters: API routes and a page."""
