"""Reduction, k-means, agreement."""
