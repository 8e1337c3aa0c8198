"""Running tasks on Dask: the only package that imports dask and distributed."""
