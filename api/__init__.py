"""HTTP API and web pages of Rayon."""
