"""`qsdask softness`: one command from a file to its soft atoms, in memory and by the stages alike."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qsdask.cli import main
from qsdask.formats.opening import open_trajectory
from qsdask.store.reader import StoreReader

ALONE = ("--cluster", "threads", "--workers", "2", "--quiet")


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """Status, standard output and standard error of a command typed in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([*map(str, words)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def asked(golden) -> tuple:
    return ("softness", golden / "cuzr256.dump", "--species", "1=Cu,2=Zr")


def test_a_table_a_picture_and_a_file(said, asked, tmp_path):
    status, out, err = said(*asked, "--png", "slice.png", "--out", "glass.extxyz")
    assert (status, err) == (0, "")
    for word in ("softness of 256 atoms", "training glasses", "times likelier", "neighbouring soft atoms", "written"):
        assert word in out
    assert (tmp_path / "slice.png").read_bytes().startswith(b"\x89PNG")
    head = (tmp_path / "glass.extxyz").read_text().splitlines()[1]
    assert "qs:R:1:qs_std:R:1:outside:R:1" in head
    # What is there stays.
    status, _, err = said(*asked, "--out", "glass.extxyz")
    assert status == 73
    assert "E-EXISTS" in err
    assert said(*asked, "--out", "glass.extxyz", "--overwrite")[0] == 0


def test_in_memory_and_by_the_stages_the_numbers_are_the_same(said, asked, tmp_path):
    quick = json.loads(said(*asked, "--json", "--out", "quick.extxyz")[1])
    kept = json.loads(said(*asked, "--json", "--out", "kept.extxyz", "--store", "kept.zarr", *ALONE)[1])
    assert {**quick, "written": []} == {**kept, "written": []}
    assert (tmp_path / "quick.extxyz").read_bytes() == (tmp_path / "kept.extxyz").read_bytes()
    assert StoreReader(tmp_path / "kept.zarr")["softness/cuzr/qs"].shape == (256,)
    # Again: the store that is there is used.
    assert json.loads(said(*asked, "--json", "--store", "kept.zarr", *ALONE)[1])["mean"] == quick["mean"]


def test_what_is_told_is_what_the_atoms_have(said, asked, tmp_path):
    found = json.loads(said(*asked, "--json", "--store", "kept.zarr", *ALONE)[1])
    root = StoreReader(tmp_path / "kept.zarr")
    qs, outside = root["softness/cuzr/qs"][:], root["softness/cuzr/outside"][:]
    assert found["mean"] == pytest.approx(qs.mean(), abs=1e-9)
    assert found["std"] == pytest.approx(qs.std(), abs=1e-7)
    assert found["hard"] == (qs < 0.1).mean()
    assert found["soft"] == (qs > 0.7).mean()
    assert found["outside"] == (outside > 1).mean()
    soft = set(np.flatnonzero(qs > 0.7).tolist())
    neighbour = root["shells/voronoi/neighbour"][:]
    sizes = []
    while soft:
        reached, edge = set(), {soft.pop()}
        while edge:
            reached |= edge
            edge = {n for k in edge for n in neighbour[k].tolist() if n in soft} - reached
            soft -= edge
        sizes.append(len(reached))
    assert [row["size"] for row in found["clusters"]] == sorted(sizes, reverse=True)[:5]
    assert found["n_cluster"] == len(sizes)


@pytest.mark.parametrize("more", [(), ("--store", "kept.zarr", *ALONE)])
def test_a_frame_is_named_by_number_or_strain(said, shipped, tmp_path, more):
    words = ("softness", shipped / "cu65_b.dump.gz", "--species", "1=Cu,2=Zr", "--json")
    by_strain = json.loads(said(*words, "--strain", "0.04", *more)[1])
    assert by_strain["frame"] == 8
    if not more:
        assert json.loads(said(*words, "--frame", "8")[1]) == by_strain
        assert len(open_trajectory(shipped / "cu65_b.dump.gz")) - 13 == 8
        assert json.loads(said(*words, "--frame", "-13")[1]) == by_strain


@pytest.mark.parametrize(
    ("more", "code", "status"),
    [
        (("--frame", "1", "--strain", "0.1"), "E-SETTING", 64),
        (("--frame", "7"), "E-STEP", 64),
        (("--strain", "0.3"), "E-STRAIN", 65),
        (("--model", "nobody.qs"), "E-NO-MODEL", 66),
        (("--out", "glass.nonsense"), "E-FORMAT", 64),
    ],
)
def test_what_cannot_be_is_told(said, asked, more, code, status, tmp_path):
    found, _, err = said(*asked, *more)
    assert (found, code in err) == (status, True), err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_glass_of_other_elements_is_refused_unless_accepted(said, golden, tmp_path):
    words = ("softness", golden / "cuzr256.dump", "--species", "1=Ni,2=Nb")
    status, _, err = said(*words)
    assert status == 65
    assert "E-OUT-OF-DOMAIN" in err
    for more in ((), ("--store", "kept.zarr", *ALONE)):
        status, out, err = said(*words, "--accept-outside", *more)
        assert status == 0
        assert "doubtful" in out
        assert "W-OUT-OF-DOMAIN: the model never saw Nb, Ni" in err


def test_shipped_models_are_listed_and_their_cards_printed(said):
    status, out, _ = said("models")
    assert status == 0
    assert "cuzr" in out
    assert "Cu-Zr" in out
    status, out, _ = said("models", "cuzr")
    assert (status, out.startswith("# CuZr-")) == (0, True)
    assert said("models", "nobody")[0] == 66
