"""The store: one Zarr v3 hierarchy per specimen. The only package that writes Zarr."""
