"""Checks against reference implementations that need packages Rayon does not use; run by hand."""
