"""Adapters that implement the ports of ``pipeline``, and the files that deploy the house."""
