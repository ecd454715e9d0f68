"""Reduction, k-means and agreement measures for the feasibility study."""
