"""Propose what the categories of a source mean in our taxonomy, by names, texts and decisions."""
