"""Interstices: the published exact numbers, the golden glass, and every NaN rule."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.interstice import FEW, FLAT, OUTSIDE, distance_interstice, voronoi_interstice
from qsdask.kernels.tessellate import keep_facets, voronoi_shell

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
FCC = np.array([p for p in np.ndindex(3, 3, 3) if sum(k == 1 for k in p) == 1], dtype=float) - 1
BCC14 = np.vstack([CUBE, 2 * np.eye(3), -2 * np.eye(3)])
GOLD = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array([np.roll([0, x, y * GOLD], k) for k in range(3) for x in (-1, 1) for y in (-1, 1)], dtype=float)


def of_shell(point, radius=None, **options):
    """Interstices of one centre at the origin; spheres that touch the nearest neighbour by default."""
    position = np.vstack([np.zeros((1, 3)), point])
    if radius is None:
        radius = np.full(len(position), np.linalg.norm(point, axis=1).min() / 2)
    neighbour = np.arange(1, len(position), dtype=np.int32)[None]
    count = np.array([len(point)], dtype=np.int32)
    value, state = voronoi_interstice(position, radius, 1, neighbour, count, **options)
    return value[0], state[0]


def rotations():
    return [np.eye(3), *Rotation.random(6, random_state=11).as_matrix()]


@pytest.mark.parametrize("rotation", rotations())
def test_bcc_touching_shell(rotation):
    value, state = of_shell(CUBE @ rotation.T)
    assert state == 0
    np.testing.assert_allclose(value[:4], 0, atol=1e-14)
    np.testing.assert_allclose(value[[4, 6, 7]], 1 - 3 * math.pi / 16, rtol=1e-12)
    np.testing.assert_allclose(value[[8, 10, 11]], 1 - 3**0.5 * math.pi / 8, rtol=1e-12)
    np.testing.assert_allclose(value[[5, 9]], 0, atol=1e-13)


@pytest.mark.parametrize("rotation", rotations())
def test_fcc_touching_shell(rotation):
    """The spread is not zero here, so a wrong standard deviation shows."""
    value, state = of_shell(FCC @ rotation.T)
    assert state == 0
    np.testing.assert_allclose(value[4:8], [0.166001, 0.059523, 0.093100, 0.214602], atol=6e-7)
    np.testing.assert_allclose(value[8:], [0.255604, 0.028773, 0.220364, 0.279097], atol=6e-7)
    assert value[6] == pytest.approx(1 - math.pi / 12**0.5, abs=1e-13)
    assert value[7] == pytest.approx(1 - math.pi / 4, abs=1e-13)


@pytest.mark.parametrize("rotation", rotations())
def test_bcc_with_its_real_neighbours(rotation):
    value, _ = of_shell(BCC14 @ rotation.T, contact=True)
    np.testing.assert_allclose(value[[0, 1, 3]], [0.066300, 0.076557, 0.154701], atol=6e-7)
    np.testing.assert_allclose(value[[4, 8]], [0.166959, 0.319825], atol=6e-7)


def test_icosahedron():
    point = ICOSAHEDRON
    value, _ = of_shell(point)
    np.testing.assert_allclose(value[[4, 8]], [0.179702, 0.274147], atol=6e-7)
    np.testing.assert_allclose(value[[5, 9]], 0, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "contact", "filtering"),
    [
        ("paper", False, {}),
        ("amlearn", True, {"sequential": True}),
        ("fixed_contact", True, {}),
        ("nofilter_contact", True, {"fraction": 0.0}),
    ],
)
def test_golden_short_range_columns(name, contact, filtering):
    lines = (GOLDEN / "cuzr256.dump").read_text().splitlines()
    bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
    table = np.array([line.split() for line in lines[9:]], dtype=float)
    table = table[np.argsort(table[:, 0])]
    box = bounds[:, 1] - bounds[:, 0]
    owned = (table[:, 2:5] - bounds[:, 0]) % box
    images = np.array(sorted(np.ndindex(3, 3, 3), key=lambda k: k != (1, 1, 1))) - 1
    position = (owned[None] + (images * box)[:, None]).reshape(-1, 3)
    order = (np.arange(256)[None] * 27 + np.arange(27)[:, None]).ravel()
    radius = np.tile(np.where(table[:, 1] == 1, 1.26, 1.58), 27)
    kept = keep_facets(voronoi_shell(position, order, 256, 10.0), **filtering)
    shell = neighbour_shell(position, order, 256, 4.0)
    voro, state = voronoi_interstice(position, radius, 256, kept.neighbour, kept.count, contact=contact)
    near = distance_interstice(position, radius, 256, shell.neighbour, shell.count, contact=contact)
    golden = np.load(GOLDEN / f"interstice80_{name}.npz")
    assert (state == 0).all()
    np.testing.assert_array_equal(golden["id"], table[:, 0])
    np.testing.assert_array_equal(golden["voro_n"], kept.count)
    np.testing.assert_array_equal(golden["dist_n"], shell.count)
    ours = np.hstack([voro[:, :4], near, voro[:, 8:], voro[:, 4:8]])
    np.testing.assert_allclose(ours, golden["X"][:, :16], rtol=0, atol=1e-12)


def plane_angle(apex, p, q):
    u, v = p - apex, q - apex
    return math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def solid_angle(apex, p, q, r):
    """From the three angles between the faces, Girard; another formula than the kernel's."""
    total = -math.pi
    for x, y, z in ((p, q, r), (q, r, p), (r, p, q)):
        u = x - apex
        n, m = np.cross(u, y - apex), np.cross(u, z - apex)
        total += math.acos(n @ m / np.linalg.norm(n) / np.linalg.norm(m))
    return total


@pytest.mark.parametrize("seed", range(10))
def test_one_tetrahedron_by_the_formula(seed):
    """Four neighbours of any radii: four triangles, formulas written out."""
    rng = np.random.default_rng(seed)
    point = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.6 + rng.normal(size=(4, 3)) * 0.2
    radius = rng.uniform(0.8, 1.6, 5)
    value, state = of_shell(point, radius, clip=False)
    assert state == 0
    centre = np.zeros(3)
    distance = np.linalg.norm(point, axis=1)
    bond = (distance - radius[0] - radius[1:]) / distance
    area, volume = [], []
    for a, b, c in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)):
        pa, pb, pc = point[a], point[b], point[c]
        ra, rb, rc = radius[1 + a], radius[1 + b], radius[1 + c]
        whole = np.linalg.norm(np.cross(pb - pa, pc - pa)) / 2
        covered = ra**2 * plane_angle(pa, pb, pc) + rb**2 * plane_angle(pb, pc, pa) + rc**2 * plane_angle(pc, pa, pb)
        area.append(1 - covered / 2 / whole)
        whole = abs(pa @ np.cross(pb, pc)) / 6
        filled = radius[0] ** 3 * solid_angle(centre, pa, pb, pc) + ra**3 * solid_angle(pa, centre, pb, pc)
        filled += rb**3 * solid_angle(pb, centre, pa, pc) + rc**3 * solid_angle(pc, centre, pa, pb)
        volume.append(1 - filled / 3 / whole)
    expected = [f(v) for v in (bond, area, volume) for f in (np.mean, np.std, np.min, np.max)]
    np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12)
    clipped, _ = of_shell(point, radius)
    expected = [f(np.maximum(v, 0)) for v in (area, volume) for f in (np.mean, np.std, np.min, np.max)]
    np.testing.assert_allclose(clipped[4:], expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(clipped[:4], value[:4])


def test_rotation_and_scale():
    point = np.random.default_rng(4).normal(size=(14, 3))
    point *= (2.8 / np.linalg.norm(point, axis=1))[:, None]
    radius = np.random.default_rng(5).uniform(1.0, 1.6, 15)
    one, _ = of_shell(point, radius)
    for rotation in rotations():
        other, _ = of_shell(3.7 * point @ rotation.T, 3.7 * radius)
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("point", "flag"),
    [(CUBE[:3], FEW), (CUBE[CUBE[:, 0] > 0] - [1.0, 0, 0], FLAT), (CUBE + np.array([1.4, 0.1, 0]), OUTSIDE)],
)
def test_no_hull_gives_nan_and_a_flag_but_distances_stay(point, flag):
    value, state = of_shell(point, np.ones(len(point) + 1))
    assert state == flag
    assert np.isfinite(value[:4]).all()
    assert np.isnan(value[4:]).all()


def test_no_neighbours_give_nan():
    position, radius = np.zeros((2, 3)), np.ones(2)
    neighbour, count = np.full((2, 5), -1, dtype=np.int32), np.zeros(2, dtype=np.int32)
    value, state = voronoi_interstice(position, radius, 2, neighbour, count)
    assert np.isnan(value).all()
    assert (state == FEW).all()
    assert np.isnan(distance_interstice(position, radius, 2, neighbour, count)).all()


def test_distance_conventions_and_no_clipping():
    position = np.array([[0.0, 0, 0], [2.0, 0, 0], [0, 3.0, 0]])
    radius = np.array([1.0, 1.5, 1.0])
    neighbour, count = np.array([[1, 2]], dtype=np.int32), np.array([2], dtype=np.int32)
    paper = distance_interstice(position, radius, 1, neighbour, count)[0]
    np.testing.assert_allclose(paper, [1 / 24, 7 / 24, -1 / 4, 1 / 3], atol=1e-15)
    contact = distance_interstice(position, radius, 1, neighbour, count, contact=True)[0]
    np.testing.assert_allclose(contact, [0.15, 0.35, -0.2, 0.5], atol=1e-15)


def test_shapes_that_do_not_fit_are_refused():
    neighbour, count = np.zeros((2, 5), dtype=np.int32), np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="radius must have shape"):
        voronoi_interstice(np.zeros((3, 3)), np.ones(2), 2, neighbour, count)
    with pytest.raises(ValueError, match="must have 3 rows"):
        distance_interstice(np.zeros((3, 3)), np.ones(3), 3, neighbour, count)
