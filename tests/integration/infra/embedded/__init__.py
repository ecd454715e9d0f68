"""The embedded stack on real servers."""
