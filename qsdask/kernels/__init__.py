"""Numba kernels: arrays in, arrays out. They know nothing of names, units, files, dask or xarray."""
