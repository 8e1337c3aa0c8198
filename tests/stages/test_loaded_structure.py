"""Structure of the frames of every loading, through the command's own stages, against slow formulas on what was stored."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.intake.loading import COMPONENTS
from tests.conftest import SPECIES
from tests.intake.test_loading import AXES, SHEARS, run_of, sheared, stretched
from tests.naive import census
from tests.naive.interstice import distance_columns, voronoi_columns
from tests.naive.neighbours import neighbours
from tests.naive.voronoi import voronoi_cells

CUTOFF = 3.9
SETS = "interstice,voronoi_index,coordination"
#: As far as the twin looks for neighbours: twice the farthest corner of a cell.
REACH = 9.5


def gradient(component: str, strain: float) -> np.ndarray:
    if component == "volume":
        return np.eye(3) * (1 + strain) ** (1 / 3)
    return stretched(component, strain) if component in AXES else sheared(component, strain)


def stored(gradients, folder, few, step: int, **how):
    """The run's store with shells and features of one frame, and what is stored of it."""
    dump = run_of(gradients, folder / "run.dump", jump=0.02, **how)
    store = qsdask.ingest(dump, folder / "run.zarr", species=SPECIES, chunk=16, run=few)
    qsdask.shells(store, cutoff=CUTOFF, step=step, run=few)
    qsdask.features(store, set=SETS, step=step, run=few)
    return qsdask.open_store(store)


def columns(tree, step: int, name: str) -> dict[str, np.ndarray]:
    found = tree[f"steps/{step}/features/{name}"].ds
    return dict(zip(found["feature"].values.tolist(), found["value"].values.T, strict=True))


def compare(tree, step: int) -> None:
    """Every short-range column of the frame against its formula, atom by atom."""
    at = {name: tree[f"frames/{name}"].values for name in ("position", "cell", "periodic")}
    position, cell, periodic = at["position"][step], at["cell"][step], at["periodic"]
    radius = tree["atoms/radius"].values[tree["atoms/species"].values]
    closed = voronoi_cells(position, cell, periodic, REACH)
    assert max(one.vertex_radius for one in closed) < REACH / 2
    atoms = census.atoms(position, cell, closed)
    near = neighbours(position, cell, periodic, CUTOFF)
    volumes = [one.volume for one in closed]
    np.testing.assert_allclose(sum(volumes), np.linalg.det(cell), rtol=1e-9)
    np.testing.assert_allclose(tree[f"steps/{step}/shells/voronoi/cell_volume"], volumes, rtol=1e-9)
    wanted = []
    for i, atom in enumerate(atoms):
        rows, images = [k for k, _, _ in near[i]], np.array([image for _, image, _ in near[i]])
        bond = position[rows] + images @ cell - position[i]
        of_facets = voronoi_columns(atom.bond, radius[i], radius[atom.row], contact=False)
        wanted.append([*of_facets, *distance_columns(bond, radius[i], radius[rows], contact=False)])
    found = columns(tree, step, "interstice")
    short = [name for name in found if name.startswith("sro__")]
    assert len(short) == 16
    np.testing.assert_allclose(np.transpose([found[name] for name in short]), wanted, rtol=2e-5, atol=2e-6)
    index = np.transpose([v for name, v in columns(tree, step, "voronoi_index").items() if name.startswith("sro__")])
    np.testing.assert_array_equal(index, [census.index(atom, False) for atom in atoms])
    number = columns(tree, step, "coordination")
    voro, cutoff = (v.tolist() for name, v in number.items() if name.startswith("sro__"))
    assert voro == [len(atom.row) for atom in atoms]
    assert cutoff == [len(found) for found in near]


@pytest.mark.parametrize(("component", "sign"), [*zip(COMPONENTS, (1, -1, 1, -1, 1, -1, -1), strict=True)])
def test_every_loading(tmp_path, few, component, sign):
    tree = stored([gradient(component, sign * e) for e in (0.0, 0.05, 0.11, -0.04)], tmp_path, few, step=2)
    np.testing.assert_allclose(tree["frames/strain"], [0, 0.05, 0.11, -0.04], atol=1e-9)
    compare(tree, 2)


@pytest.mark.parametrize("plane", SHEARS)
def test_a_flipped_box(tmp_path, few, plane):
    tree = stored([gradient(plane, gamma) for gamma in (0.0, 0.2, 0.4, 0.6, 0.8)], tmp_path, few, step=4, flipped=True)
    cell = tree["frames/cell"].values[4]
    assert max(abs(cell[1, 0] / cell[0, 0]), abs(cell[2, 0] / cell[0, 0]), abs(cell[2, 1] / cell[1, 1])) > 0.6
    compare(tree, 4)
