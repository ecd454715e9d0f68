"""Extractors: one a file, listed in ``catalogue.py``. A listing goes in, a feature vector comes out."""
