"""Feasibility studies over HTTP."""
