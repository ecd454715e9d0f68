"""Sources: the routes that list them and set their notation of categories."""
