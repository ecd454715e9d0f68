"""Category mapping: what the categories of a source probably mean in the taxonomy, by names, texts and decisions."""
