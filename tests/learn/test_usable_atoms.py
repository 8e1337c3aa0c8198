"""A store in which no atom can be learned from is told with what left the atoms out."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.cli import main


def blank(part: slice):
    """Rows of a domain without a value in some columns, as of a set that gives NaN there."""
    from qsdask.study import gathered

    real = gathered.labelled_rows

    def rows(*arguments):
        found = real(*arguments)
        found.value[:, part] = np.nan
        return found._replace(mask=np.zeros_like(found.mask), excluded={**found.excluded, "features": len(found.mask)})

    return rows


def test_columns_without_a_value_are_named(own, few, monkeypatch):
    monkeypatch.setattr("qsdask.study.gathered.labelled_rows", blank(slice(1, 2)))
    with pytest.raises(qsdask.QSDaskError) as caught:
        qsdask.train([own / "tiny.zarr"], model=own / "new.qs", strain=0.01, surface_margin=0.0, run=few)
    assert caught.value.code == "E-NO-USABLE"
    name = qsdask.open_store(own / "tiny.zarr")["features/interstice"].ds["feature"].values[1]
    assert f"; {name}: no value in any atom" in caught.value.render()
    assert not (own / "new.qs").exists()


def test_atoms_near_surfaces_only_are_told(own, capsys, monkeypatch):
    monkeypatch.setattr("qsdask.study.rows.surface_distance", lambda root, rows: np.zeros(rows.stop - rows.start))
    typed = ["train", own / "tiny.zarr", "--model", own / "new.qs", "--strain", "0.01", "--cluster", "threads"]
    assert main([*map(str, typed), "--workers", "2", "--quiet"]) == 65
    said = capsys.readouterr().err
    assert "E-NO-USABLE" in said
    assert "left out by surface: " in said
    assert "--surface-margin" in said
