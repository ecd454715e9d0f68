"""Read files that list the categories of a taxonomy."""
