"""GSD files: boxes, precision and frames as the ``gsd`` package has them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from qsdask.errors import BadDataError, QSDaskError, UsageError
from qsdask.formats import open_trajectory

hoomd = pytest.importorskip("gsd.hoomd")

N = 5
POSITION = np.random.default_rng(0).uniform(-4, 4, (N, 3))
BOX = [10.0, 12.0, 14.0, 0.1, -0.2, 0.3]


def frame(step=0, *, n=N, box=BOX, dimensions=3, position=POSITION, types=("Zr", "Cu")):
    made = hoomd.Frame()
    made.configuration.step, made.configuration.box, made.configuration.dimensions = step, box, dimensions
    made.particles.N, made.particles.types = n, list(types)
    made.particles.typeid = np.arange(n) % 2
    made.particles.position = position[:n]
    return made


def written(path, *frames, **options):
    with hoomd.open(str(path), "w", **options) as file:
        for one in frames:
            file.append(one)
    return path


def test_tilted_frames_are_periodic_by_definition(tmp_path):
    path = written(
        tmp_path / "run.gsd", frame(0), frame(50, box=[10, 12, 14.5, 0.1, -0.2, 0.35], position=POSITION + 0.5)
    )
    trajectory = open_trajectory(path)
    assert [warning.code for warning in trajectory.warnings] == ["W-FLOAT32"]
    assert [(place.timestep, place.boundary, place.has_id) for place in trajectory.frames] == [
        (0, ("pp", "pp", "pp"), True),
        (50, ("pp", "pp", "pp"), True),
    ]
    one, two = trajectory.read()
    np.testing.assert_allclose(one.cell, [[10, 0, 0], [1.2, 12, 0], [-2.8, 4.2, 14]], rtol=1e-6)
    np.testing.assert_allclose(one.origin, -one.cell.sum(axis=0) / 2)
    np.testing.assert_array_equal(one.position, POSITION.astype(np.float32))
    np.testing.assert_allclose(two.cell[2], [-2.9, 0.35 * 14.5, 14.5], rtol=1e-6)
    assert [one.element.name[k] for k in one.element.code] == ["Zr", "Cu", "Zr", "Cu", "Zr"]
    assert one.id.tolist() == [1, 2, 3, 4, 5]
    assert next(open_trajectory(path).read(1)).digest == two.digest != one.digest
    assert open_trajectory(path, boundary="ppf").frames[0].boundary == ("pp", "pp", "ff")


def test_double_precision_is_kept(tmp_path):
    try:
        path = written(tmp_path / "run.gsd", frame(), precision="double")
    except TypeError:
        pytest.skip("this gsd writes single precision only")
    trajectory = open_trajectory(path)
    assert trajectory.warnings == ()
    (got,) = trajectory.read()
    np.testing.assert_array_equal(got.position, POSITION)
    np.testing.assert_allclose(got.cell, [[10, 0, 0], [1.2, 12, 0], [-2.8, 4.2, 14]], rtol=1e-6)  # the box stays single


def test_what_a_frame_does_not_say_is_that_of_the_first(tmp_path):
    second = hoomd.Frame()
    second.configuration.step, second.particles.N = 9, N
    second.particles.position = POSITION + 1
    one, two = open_trajectory(written(tmp_path / "run.gsd", frame(), second)).read()
    np.testing.assert_array_equal(one.cell, two.cell)
    assert two.element.name == ("Cu", "Zr")


def test_the_name_does_not_matter(tmp_path):
    assert len(open_trajectory(written(tmp_path / "run.dat", frame()))) == 1


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        ((), "E-FORMAT: the file has no frame"),
        ((frame(dimensions=2),), "E-2D"),
        ((frame(), frame(1, n=N - 1)), "E-COUNT: the frame has 4 atoms, the first one 5"),
        ((frame(box=[10, 12, 0, 0, 0, 0]),), "E-BOX"),
        ((frame(box=[10, 12, np.nan, 0, 0, 0]),), "E-BOX"),
        ((frame(position=POSITION * [1, np.nan, 1]),), "E-NUMBER: a coordinate of atom id 1"),
        ((frame(types=["Cu"]),), "E-TYPE: type 1 has no name"),
        ((frame(), frame(0, position=POSITION + 1)), "E-STEP-ORDER"),
    ],
)
def test_frames_that_cannot_be_used(tmp_path, frames, match):
    path = written(tmp_path / "run.gsd", *frames)
    with pytest.raises(BadDataError, match=match):
        list(open_trajectory(path).read())


def test_more_atoms_than_the_file_has_room_for(tmp_path):
    fl = pytest.importorskip("gsd.fl")
    path = tmp_path / "run.gsd"
    with fl.open(str(path), "w", application="x", schema="hoomd", schema_version=[1, 4]) as file:
        file.write_chunk("particles/N", np.array([2**31], np.uint32))
        file.end_frame()
    with pytest.raises(BadDataError, match="E-COUNT: the frame says 2147483648 atoms"):
        open_trajectory(path)
    with fl.open(str(path), "w", application="x", schema="other", schema_version=[1, 4]) as file:
        file.end_frame()
    with pytest.raises(BadDataError, match="E-FORMAT: the GSD file holds 'other'"):
        open_trajectory(path)


def test_damage_ends_in_one_message(tmp_path):
    path = written(tmp_path / "run.gsd", *(frame(step) for step in range(3)))
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for end in [*range(8, 400, 40), *random.integers(400, len(whole), 20)]:
        path.write_bytes(whole[:end])
        with pytest.raises(QSDaskError):
            list(open_trajectory(path).read())
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[random.integers(8, len(damaged))] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            frames = list(open_trajectory(path).read())
        except QSDaskError as error:
            refused += error.code.startswith("E-")
        else:
            assert all(np.isfinite(one.position).all() for one in frames)
    assert refused > 5


def test_without_the_package_a_command_is_given(tmp_path, monkeypatch):
    path = written(tmp_path / "run.gsd", frame())
    monkeypatch.setitem(sys.modules, "gsd.fl", None)
    with pytest.raises(UsageError, match=r"(?s)E-EXTRA.*pip install 'qsdask\[gsd\]'"):
        open_trajectory(path)
