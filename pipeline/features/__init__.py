"""Extractors: one a file, listed in ``domain/known_extractors.py``. A listing goes in, a feature vector comes out."""
