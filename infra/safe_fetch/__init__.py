"""Requests to addresses given by users, safe from server-side request forgery (SSRF), and downloads of large files.

``fetcher.SafeFetcher`` sends every request to an address that a user gave: ``fetch`` and ``fetch_image`` for photos of
listings, ``post`` for deliveries to webhooks. ``published_file_download`` is for addresses that Rayon itself or its
operator chose.
"""
