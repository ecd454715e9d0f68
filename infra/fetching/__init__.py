"""The parts of safe fetching: addresses, the pinned connection, answers, pictures. ``infra.fetch`` is the entry."""
