"""Pictures and the page: they take finished Datasets and compute nothing."""
