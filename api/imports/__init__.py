"""Imports of catalogue files and from product databases over HTTP."""
