"""Which element an atom is: by type, in the order of the types, or by the labels of types."""

from __future__ import annotations

import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError
from tests.small_store import SPECIES, small_dump


@pytest.fixture
def dump(golden, tmp_path):
    return small_dump(golden, tmp_path / "glass.dump")


def species_in(store):
    atoms = qsdask.open_store(store)["atoms"].ds
    return atoms["species_name"].values[atoms["species"].values].tolist()


def test_elements_may_be_given_in_the_order_of_the_types(dump, tmp_path, few):
    typed = ["ingest", str(dump), str(tmp_path / "typed.zarr"), "--species", "Cu,Zr", "--cluster", "threads", "--quiet"]
    assert main(typed) == 0
    qsdask.ingest(dump, tmp_path / "pairs.zarr", species=SPECIES, run=few)
    qsdask.ingest(dump, tmp_path / "list.zarr", species=["Cu", "Zr"], run=few)
    stores = [tmp_path / f"{name}.zarr" for name in ("typed", "pairs", "list")]
    assert species_in(stores[0]) == species_in(stores[1]) == species_in(stores[2])
    assert len({qsdask.info(store)["stages"][0]["settings"]["species"]["2"] for store in stores}) == 1
    assert qsdask.check(dump, species=["Cu", "Zr"], progress=False).errors == []


def test_labels_of_types_are_species(dump, tmp_path, few):
    qsdask.ingest(dump, tmp_path / "types.zarr", species=SPECIES, run=few)
    text = dump.read_text().replace("id type", "id typelabel").splitlines()
    name = {"1": "Cu", "2": "Zr"}
    rows = [line.split() for line in text]
    named = [" ".join([r[0], name[r[1]], *r[2:]]) if len(r) == 5 and r[1] in name else " ".join(r) for r in rows]
    dump.write_text("\n".join(named) + "\n")
    qsdask.ingest(dump, tmp_path / "labels.zarr", run=few)
    assert species_in(tmp_path / "labels.zarr") == species_in(tmp_path / "types.zarr")
    dump.write_text("\n".join(named).replace(" Cu ", " A ") + "\n")
    with pytest.raises(BadDataError, match=r"(?s)E-RADIUS: no atomic radius for A.*--radius A=1.40"):
        qsdask.ingest(dump, tmp_path / "pseudo.zarr", run=few)
    qsdask.ingest(dump, tmp_path / "pseudo.zarr", radius={"A": 1.28}, run=few)
