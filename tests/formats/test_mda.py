"""Formats read through MDAnalysis: what its own writers made comes back."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.formats import open_trajectory
from qsdask.formats.mda import is_known

MDAnalysis = pytest.importorskip("MDAnalysis")

N = 4
POSITION = np.random.default_rng(0).uniform(0, 9, (N, 3)).astype(np.float32).astype(float)
DATA = """LAMMPS data file

4 atoms
2 atom types

0.0 10.0 xlo xhi
0.0 12.0 ylo yhi
0.0 14.0 zlo zhi

Atoms # atomic

1 1 0.5 1.5 2.5
2 2 4.0 5.0 6.0
3 1 9.0 11.0 13.0
4 2 1.0 1.0 1.0
"""
#: Package that MDAnalysis needs for the format.
NEEDS = {"xtc": None, "trr": None, "dcd": None, "ncdf": None, "h5md": "h5py"}


@pytest.fixture
def data(tmp_path):
    (tmp_path / "glass.data").write_text(DATA)
    return tmp_path / "glass.data"


def written(path, data, **options):
    """Two frames with a tilted cell, the second one shifted by a quarter."""
    universe = MDAnalysis.Universe(str(data), atom_style="id type x y z", to_guess=())
    with MDAnalysis.Writer(str(path), n_atoms=N, **options) as writer:
        for k in range(2):
            step = universe.trajectory.ts
            step.positions = POSITION + 0.25 * k
            step.dimensions = [10, 12, 14, 90, 80, 70]
            step.frame, step.data["step"], step.time = k, 100 * k, float(k)
            writer.write(universe.atoms)
    return path


@pytest.mark.parametrize("form", NEEDS)
def test_trajectories_with_a_topology(tmp_path, data, form):
    if NEEDS[form]:
        pytest.importorskip(NEEDS[form])
    options = {"lengthunit": "nm", "timeunit": "ps"} if form == "h5md" else {}
    path = written(tmp_path / f"run.{form}", data, **options)
    trajectory = open_trajectory(path, topology=data, boundary="ppp")
    one, two = trajectory.read()
    np.testing.assert_allclose(one.position, POSITION, atol=0.006)  # XTC keeps 0.01 angstrom
    np.testing.assert_allclose(two.position - one.position, 0.25, atol=0.011)
    assert one.type.tolist() == [1, 2, 1, 2]
    assert one.id.tolist() == [1, 2, 3, 4]
    edges = np.linalg.norm(one.cell, axis=1)
    np.testing.assert_allclose(edges, [10, 12, 14], rtol=1e-5)
    assert one.cell[0] @ one.cell[1] / 120 == pytest.approx(np.cos(np.deg2rad(70)), abs=1e-5)
    steps = [place.timestep for place in trajectory.frames]
    assert steps[0] < steps[1]
    assert "W-FLOAT32" in {warning.code for warning in trajectory.warnings}
    assert one.digest != two.digest
    assert next(trajectory.read(1)).digest == two.digest


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_cut_and_damaged_files_are_refused(tmp_path, data):
    path = written(tmp_path / "run.dcd", data)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"garbage" * 30):
        path.write_bytes(damaged)
        with pytest.raises(BadDataError, match=r"E-FORMAT|E-COUNT") as caught:
            list(open_trajectory(path, topology=data, boundary="ppp").read())
        assert caught.value.file == str(path)
        del caught
        gc.collect()  # half-made readers of MDAnalysis complain when they go: let them do so here


def test_not_finite_frame_can_be_left_out(tmp_path, data):
    universe = MDAnalysis.Universe(str(data), atom_style="id type x y z", to_guess=())
    path = tmp_path / "run.dcd"
    with MDAnalysis.Writer(str(path), n_atoms=N) as writer:
        for k, x in enumerate((0.5, np.nan, 1.5)):
            universe.trajectory.ts.positions = POSITION + x
            universe.trajectory.ts.frame = k
            writer.write(universe.atoms)
    with pytest.raises(BadDataError, match="E-NUMBER: a coordinate of atom id 1"):
        list(open_trajectory(path, topology=data, boundary="ppp").read())
    trajectory = open_trajectory(path, topology=data, boundary="ppp", skip_bad_frames=True)
    assert [place.ordinal for place in trajectory.frames] == [0, 2]
    assert "W-BAD-FRAME" in {warning.code for warning in trajectory.warnings}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.dcd", True),
        ("a.data", True),
        ("A.XYZ.gz", True),
        ("a.gsd", True),
        ("a.dump", False),
        ("a.lammpstrj.gz", False),
        ("dump.1000", False),
        ("a.gz", False),
        ("a", False),
        ("data.d/run", False),
        ("a.bin", False),
        ("a.nothing", False),
    ],
)
def test_known_by_name(name, known):
    assert is_known(name) == known
