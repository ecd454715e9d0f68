"""Imports from product databases and of catalogue files: API routes and pages."""
