"""Safe fetching of addresses given by users: address checks, pinned connections, downloads."""
