"""A study's report as people read it: pages in English and French, charts as SVG and PNG, tables as CSV."""
