"""SQLAlchemy models, repositories, unit of work, outbox."""
