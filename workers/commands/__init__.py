"""Commands of ``rayon``, one module a noun."""
