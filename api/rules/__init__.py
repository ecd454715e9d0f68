"""Rules over HTTP: what the categories of a source mean in the taxonomy, their coverage and conflicts."""
