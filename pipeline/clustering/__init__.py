"""Dimension reduction, clustering methods, and measures of agreement between clusters and categories."""
