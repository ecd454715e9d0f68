"""Shared parts of the web pages: templates, sessions, login, error pages, the API reference."""
