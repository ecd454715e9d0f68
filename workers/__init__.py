"""Celery application, relay, beat schedule and command line."""
