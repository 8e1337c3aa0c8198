"""A store as a snapshot of an Icechunk repository."""

from __future__ import annotations

import pytest
import xarray as xr

import qsdask
from qsdask.cli import main
from qsdask.errors import QSDaskError


def test_a_repository_holds_what_the_store_shows(own, tmp_path, capsys):
    icechunk = pytest.importorskip("icechunk")
    place = tmp_path / "repository"
    assert main(["export", str(own / "tiny.zarr"), "--icechunk", str(place)]) == 0
    repo = icechunk.Repository.open(icechunk.local_filesystem_storage(str(place)))
    found = xr.open_datatree(repo.readonly_session("main").store, engine="zarr", consolidated=False, chunks={})
    assert found.identical(qsdask.open_store(own / "tiny.zarr"))
    assert main(["export", str(own / "tiny.zarr"), "--icechunk", str(place)]) == 73
    assert "E-EXISTS" in capsys.readouterr().err
    assert main(["export", str(own / "tiny.zarr"), "--icechunk", str(place), "--overwrite"]) == 0
    assert len(list(repo.ancestry(branch="main"))) == 3  # the empty one, and two of the store
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    assert main(["export", str(own / "tiny.zarr"), "--icechunk", str(tmp_path / "other")]) == 73
    assert main(["export", str(own / "tiny.zarr"), "--icechunk", str(own / "tiny.zarr" / "inside")]) == 73


def test_without_the_package_it_is_said(own, monkeypatch):
    from qsdask.views.icechunk_package import export_icechunk

    monkeypatch.setitem(__import__("sys").modules, "icechunk", None)
    with pytest.raises(QSDaskError) as refused:
        export_icechunk(own / "tiny.zarr", "place")
    assert refused.value.code == "E-EXTRA"
