"""Feasibility studies: API routes and pages."""
