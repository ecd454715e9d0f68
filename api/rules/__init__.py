"""Category rules over HTTP."""
