"""Product databases, asked over HTTP: a server of our own that speaks like theirs."""
