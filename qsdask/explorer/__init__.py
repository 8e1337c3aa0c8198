"""A page that shows stores in a browser while strain, slice and thresholds are moved: server, what it reads, and the page."""
