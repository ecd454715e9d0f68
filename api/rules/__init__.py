"""Rules that map the categories of a source to the taxonomy, their coverage and conflicts: API routes and pages."""
