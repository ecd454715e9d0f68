"""The report of a study as people read it: HTML, charts, maps, tables."""
