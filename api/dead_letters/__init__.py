"""Dead letters: jobs that were given up over HTTP."""
