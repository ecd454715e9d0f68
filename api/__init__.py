"""The HTTP face of Rayon."""
