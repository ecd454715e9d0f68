"""Extractors: one per file, listed in ``domain/extractors.py``. A listing goes in, a feature vector comes out."""
