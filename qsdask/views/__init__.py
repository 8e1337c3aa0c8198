"""What shows stores, models and simulated glasses: pages, tables of contents, files for other programs."""
