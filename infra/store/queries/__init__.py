"""Read models: what lists, stories and dashboards show, in one query each."""
