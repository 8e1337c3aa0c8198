"""Explore a store with plain xarray: no part of qsdask but its data is needed to read one.

    python examples/explore_store.py qsdask-quickstart/cu65_b.zarr

Run `qsdask quickstart` first.
"""

import sys

import numpy as np
import xarray as xr

path = sys.argv[1] if len(sys.argv) > 1 else "qsdask-quickstart/cu65_b.zarr"
tree = xr.open_datatree(path, engine="zarr", chunks={})

features = tree["features/interstice"].ds["value"]
print(
    f"{features.sizes['atom']} atoms, {features.sizes['feature']} columns, lazily loaded: {features.chunks is not None}"
)

response = tree["response/d2min"].ds
# Where the strain turns it is passed again, in later frames: this is the first one.
step = int(np.flatnonzero(np.isclose(response["strain"].values, 0.04, atol=1e-4))[0])
plastic = (response["d2min"].isel(step=step) > 5.0).compute()
print(f"{plastic.mean().item():.2%} of the atoms are plastic at strain {response['strain'].values[step]:.3f}")

column = "sro__interstice_volume__voro__std"
value = features.sel(feature=column).compute()
print(
    f"{column}: plastic atoms {value.where(plastic).mean().item():.4f}, others {value.where(~plastic).mean().item():.4f}"
)

voronoi = tree["shells/voronoi"].ds
coordination = (voronoi["neighbour"] >= 0).sum("slot").compute()
species = tree["atoms"].ds["species"].values
for index, name in enumerate(tree["atoms"].ds["species_name"].values):
    print(f"{name}: mean Voronoi coordination number {coordination.values[species == index].mean():.2f}")

if "softness" in tree.children:
    (model,) = tree["softness"].children
    qs = tree[f"softness/{model}"].ds["qs"].compute()
    print(f"QS of plastic atoms {qs.where(plastic).mean().item():.3f}, of all atoms {qs.mean().item():.3f}")
