"""Listings, revisions and images in Postgres."""
