"""Databases, models and studies made by an earlier version still work after an upgrade."""
