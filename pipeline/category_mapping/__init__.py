"""Category mapping: the probable meanings of source categories in the taxonomy, by names, texts and decisions."""
