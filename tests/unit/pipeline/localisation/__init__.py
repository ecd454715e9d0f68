"""Languages: catalogues, numbers and dates."""
