"""Product databases: queried over HTTP or read from their published files, with their products normalised."""
