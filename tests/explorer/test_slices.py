"""What the page draws is what xarray gives, whichever chunks were read."""

from __future__ import annotations

import json

import ase.io
import numpy as np
import pytest

import qsdask
from qsdask.analysis.slab import slab_mask
from qsdask.errors import QSDaskError, UsageError
from qsdask.explorer import slices
from qsdask.explorer.answers import Answers, Words
from qsdask.explorer.cache import Cache
from qsdask.explorer.glass import CHANGE, Glass
from qsdask.explorer.selection import python_line, write_selection
from qsdask.explorer.slices import Cut, atoms_above, slice_atoms, smooth_d2
from qsdask.study.slice import slice_through


def opened(store, cache=None) -> Glass:
    return Glass(store, None, cache or Cache())


CUTS = [
    Cut(frame, axis, low + part * height, thickness, undeformed)
    for frame, undeformed in ((0, False), (2, False), (3, True))
    for axis, low, height in (("x", -1.0, 21.0), ("y", 1.0, 17.0), ("z", 2.0, 16.0))
    for part, thickness in ((0.0, 2.0), (0.43, 1.0), (1.0, 3.0), (0.5, 60.0))
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_slice_has_the_atoms_that_xarray_finds_in_all_chunks(tilted, cut):
    found = slice_atoms(opened(tilted), cut, "species")
    tree = qsdask.open_store(tilted)
    expected = tree.qs.slab(cut.axis, cut.centre, cut.thickness, frame=cut.step)
    assert tree.atoms.id.values[found["row"]].tolist() == expected.id.values.tolist()
    assert found["species"].tolist() == expected.species.values.tolist()


def test_only_domains_that_meet_the_slice_are_read(tilted):
    glass = opened(tilted)
    for frame in range(4):
        box = glass.box(frame)
        for axis in range(3):
            for centre in np.linspace(-1.0, box.height[axis] + 1.0, 23):
                met = glass.domains_between(axis, centre - 0.5, centre + 0.5, frame).tolist()
                place = {"axis": axis, "centre": centre, "thickness": 1.0}
                holds = [
                    domain
                    for domain in range(glass.root.n_domain)
                    if slab_mask(glass.position(domain, frame), box.cell, box.origin, box.periodic, **place).any()
                ]
                assert set(holds) <= set(met)
    thin = slice_atoms(glass, Cut(0, "x", 4.0, 0.5), "species")
    assert thin["domains"] < glass.root.n_domain


def test_a_slice_carries_softness_and_response_of_its_frame(soft_glass):
    cut = Cut(3, "y", 20.0, 4.0)
    found = slice_atoms(opened(soft_glass), cut, "d2min")
    expected = qsdask.open_store(soft_glass).qs.slab("y", 20.0, 4.0, frame=3)
    d2 = expected.d2min.where(expected.valid).values
    np.testing.assert_array_equal(found["found"]["qs"], expected.qs)
    np.testing.assert_array_equal(found["found"]["d2"], d2)
    np.testing.assert_array_equal(found["value"], d2)
    # Axis y: u is z, v is x.
    origin = qsdask.open_store(soft_glass).frames.origin.values[3]
    np.testing.assert_allclose(found["found"]["u"], expected.position[:, 2] - origin[2], atol=1e-9)
    np.testing.assert_allclose(found["found"]["v"], expected.position[:, 0] - origin[0], atol=1e-9)


@pytest.mark.parametrize("column", ["qs_std", "outside", "sro__interstice_area__voro__std", "cell_volume", "step_qs"])
def test_a_column_is_that_of_the_store(soft_glass, column):
    found = slice_atoms(opened(soft_glass), Cut(3, "z", 10.0, 3.0), column)
    table = qsdask.open_store(soft_glass).qs.to_dataframe([column], frame=3)
    np.testing.assert_array_equal(found["value"], table[column].to_numpy()[found["row"]])


def test_the_change_of_softness_is_that_of_the_frame_less_that_at_rest(soft_glass):
    glass = opened(soft_glass)
    found = slice_atoms(glass, Cut(3, "z", 10.0, 3.0), CHANGE)
    table = qsdask.open_store(soft_glass).qs.to_dataframe(["qs", "step_qs"], frame=3)
    np.testing.assert_array_equal(found["value"], (table["step_qs"] - table["qs"]).to_numpy()[found["row"]])
    assert np.abs(found["value"]).max() > 0.01
    assert not slice_atoms(glass, Cut(0, "z", 10.0, 3.0), CHANGE)["value"].any()
    with pytest.raises(QSDaskError, match=r"qsdask predict .* --frame 1"):
        slice_atoms(glass, Cut(1, "z", 10.0, 3.0), CHANGE)


def test_the_contours_are_those_of_the_report(soft_glass):
    glass = opened(soft_glass)
    cut = Cut(3, "y", float(glass.box(0).origin[1] + glass.box(0).height[1] / 2.0), 2.0, undeformed=True)
    smooth = smooth_d2(slice_atoms(glass, cut, "qs"), cut.thickness, "angstrom")
    report = slice_through(soft_glass, model=glass.model, frame=3, run=qsdask.Run(cluster="threads", progress=False))
    np.testing.assert_allclose(smooth["map"], report["map_d2"], rtol=1e-5)
    j, i = 7, 11
    place = smooth["corner"] + j * smooth["along"] + i * smooth["across"]
    np.testing.assert_allclose(place, [report["map_u"][i, j], report["map_v"][i, j]])


def test_a_slice_of_too_many_atoms_is_refused_in_words(tilted, monkeypatch):
    monkeypatch.setattr(slices, "MOST_IN_SLICE", 100)
    with pytest.raises(UsageError, match="more than 100 atoms") as refusal:
        slice_atoms(opened(tilted), Cut(0, "x", 5.0, 9.0), "species")
    assert refusal.value.code == "E-THICKNESS"


def test_an_empty_slice_is_one(tilted):
    found = slice_atoms(opened(tilted), Cut(0, "z", 900.0, 1.0), "species")
    assert found["row"].size == found["found"].sizes["atom"] == 0


def test_all_atoms_above_a_softness_are_found(soft_glass):
    found = atoms_above(opened(soft_glass), 3, 0.6, "d2min")
    atoms = qsdask.open_store(soft_glass).qs.atoms()
    above = np.flatnonzero(atoms.qs.values > 0.6)
    assert found["total"] == len(above) > 100
    assert found["row"].tolist() == above.tolist()
    where = qsdask.open_store(soft_glass).frames
    np.testing.assert_allclose(
        np.exp(2j * np.pi * (found["position"] - where.origin.values[3]) / np.diag(where.cell.values[3])),
        np.exp(2j * np.pi * (where.position.values[3, above] - where.origin.values[3]) / np.diag(where.cell.values[3])),
        atol=1e-6,
    )


def test_of_too_many_an_even_part_is_taken_and_told(soft_glass):
    glass = opened(soft_glass)
    all_of_them = atoms_above(glass, 0, 0.3, "qs")
    for most in (1, 97, 1000):
        some = atoms_above(glass, 0, 0.3, "qs", most)
        assert some["total"] == all_of_them["total"]
        assert len(some["row"]) == most
        places = np.searchsorted(all_of_them["row"], some["row"])
        assert np.ptp(np.diff(places, prepend=-1)) <= all_of_them["total"] // most + 1
    assert atoms_above(glass, 0, 1.0, "qs")["row"].size == 0


KINDS = [(Cut(3, "y", 20.0, 4.0), kind) for kind in slices.KINDS]
KINDS += [(Cut(3, "x", 9.0, 4.0, True), "plastic"), (Cut(2, "x", 9.0, 4.0, True), "all"), (2, "soft"), (3, "plastic")]


@pytest.mark.parametrize(("where", "kind"), KINDS, ids=str)
def test_file_and_python_line_have_the_same_atoms(soft_glass, tmp_path, where, kind):
    glass = opened(soft_glass)
    file = tmp_path / "selection.extxyz"
    write_selection(glass, file, where, kind, 0.55, 0.2, "cell_volume")
    written = ase.io.read(file)
    names: dict = {}
    exec(python_line(glass, where, kind, 0.55, 0.2), names)
    atoms = names["atoms"]
    assert 0 < len(written) == atoms.sizes["atom"] < glass.n_atom
    assert written.arrays["id"].tolist() == atoms.id.values.tolist()
    np.testing.assert_array_equal(written.arrays["qs"], atoms.qs)
    np.testing.assert_array_equal(written.arrays["d2min"], atoms.d2min.where(atoms.valid))
    if kind == "soft":
        assert (atoms.qs.values > 0.55).all()
    if kind == "plastic":
        assert (atoms.d2min.values > glass.threshold).all()


def test_an_atom_is_told_as_the_store_has_it(soft_glass):
    glass, tree = opened(soft_glass), qsdask.open_store(soft_glass)
    columns = ["qs", "qs_std", "outside", *(f"sro__voronoi_index_n{k}__voro" for k in range(3, 8))]
    table = tree.qs.to_dataframe(columns)
    for row in (0, 2303, 2304, 6911):
        told = glass.atom(row, 3)
        assert (told["id"], told["element"]) == (table["id"][row], table["element"][row])
        assert [told["qs"], told["qs_std"], told["outside"]] == table[columns[:3]].iloc[row].tolist()
        assert told["voronoi"] == table[columns[3:]].iloc[row].tolist()
        np.testing.assert_array_equal(told["d2"], tree.response.d2min.d2min[:, row])
        np.testing.assert_array_equal(told["position"], tree.frames.position[3, row])


@pytest.mark.skipif(not hasattr(qsdask, "explain"), reason="nothing explains softness here")
def test_an_atom_is_told_with_the_columns_that_made_its_softness(own, few):
    store = own / "tiny.zarr"
    assert Glass(store, None, Cache()).atom(5, 0)["contributions"] == []
    qsdask.explain(store, model=own / "tiny.qs", run=few)
    told = Glass(store, None, Cache()).atom(5, 0)["contributions"]
    group = qsdask.open_store(store)["explanation/tiny"]
    added = dict(zip(group.meaning.values, group.contribution.values[5], strict=True))
    assert [one["added"] for one in told] == [added[one["meaning"]] for one in told]
    assert [abs(one["added"]) for one in told] == sorted(np.abs(list(added.values())), reverse=True)[: len(told)]


def test_memory_is_bounded_and_says_nothing_to_the_answer(soft_glass):
    small = Cache(200_000)
    tight, roomy = opened(soft_glass, small), opened(soft_glass)
    for cut in (Cut(3, "y", 20.0, 4.0), Cut(2, "z", 20.0, 4.0), Cut(3, "y", 20.0, 4.0)):
        first, second = slice_atoms(tight, cut, "qs"), slice_atoms(roomy, cut, "qs")
        assert first["found"].equals(second["found"])
        assert small.n_bytes <= 200_000


def test_a_store_that_changed_is_not_mixed_with_what_was_read(own):
    answers = Answers([own / "tiny.zarr"])
    words = {"glass": "0", "frame": "0", "axis": "x", "centre": "4", "thickness": "3", "column": "qs", "place": "frame"}
    answers.asked["slice"](Words(words))
    qsdask.features(own / "tiny.zarr", set="coordination", run=qsdask.Run(cluster="threads", progress=False))
    with pytest.raises(QSDaskError, match="E-CHANGED-MEANWHILE"):
        answers.asked["slice"](Words(words))


def test_softness_is_chosen_where_there_are_several(own, few):
    store = own / "tiny.zarr"
    (own / "tiny.qs").rename(own / "other.qs")
    qsdask.predict(store, model=own / "other.qs", run=few)
    with pytest.raises(UsageError, match="choose the model: other, tiny"):
        Glass(store, None, Cache())
    assert Glass(store, "tiny", Cache()).model == "tiny"
    assert Glass(store, own / "other.qs", Cache()).model == "other"


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame": "2"},
        {"frame": "-1"},
        {"frame": "9" * 30},
        {"glass": "1"},
        {"axis": "w"},
        {"centre": "nan"},
        {"thickness": "0"},
        {"thickness": "inf"},
        {"column": "no_such"},
        {"place": "elsewhere"},
    ],
    ids=str,
)
def test_words_that_mean_nothing_are_refused(tiny, wrong):
    answers = Answers([tiny / "tiny.zarr"])
    words = {"glass": "0", "frame": "0", "axis": "x", "centre": "4", "thickness": "3", "column": "qs", "place": "frame"}
    answers.asked["slice"](Words(words))
    with pytest.raises(UsageError):
        answers.asked["slice"](Words(words | wrong))
    with pytest.raises(UsageError, match="E-SETTING"):
        answers.asked["slice"](Words({name: words[name] for name in words if name not in wrong}))


def test_what_the_page_knows_first(soft_glass, tilted):
    told = json.loads(Answers([soft_glass, tilted]).asked["glasses"](Words({}))[1])
    first, second = told["glasses"]
    assert (first["atoms"], second["atoms"]) == (6912, 900)
    assert first["levels"] == [2.0, 5.0]
    names = [column["name"] for column in first["columns"]]
    assert {"qs", "d2min", "cell_volume", "mro__interstice_area__voro__std__mean", "step_qs", CHANGE} <= set(names)
    assert all(column["meaning"] for column in first["columns"])
    assert second["model"] is None
    assert not second["moved"]
    assert [column["name"] for column in second["columns"]] == ["species"]
    np.testing.assert_allclose(second["height"], Glass(tilted, None, Cache()).box(0).height)
    assert len(told["maps"]["viridis"]) == 768
