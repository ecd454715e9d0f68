"""Files that list categories."""
