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


def labelled(dump, names: tuple[str, str], columns: str = "id typelabel x y z") -> None:
    """Write labels for the types 1 and 2, and the types too if `columns` has them."""
    rows, name, both = [], dict(zip("12", names, strict=True)), "type " in columns
    for line in dump.read_text().splitlines():
        cells = line.split()
        atom = len(cells) == 5 and cells[1] in name and cells[0] != "ITEM:"
        rows.append(" ".join([cells[0], *([cells[1]] if both else []), name[cells[1]], *cells[2:]]) if atom else line)
    dump.write_text("\n".join(rows).replace("ITEM: ATOMS id type x y z", f"ITEM: ATOMS {columns}") + "\n")


@pytest.mark.parametrize("names", [("A", "B"), ("Big", "small2"), ("Zr", "Cu"), ("B", "A")])
@pytest.mark.parametrize("columns", ["id typelabel x y z", "id element x y z", "id type element x y z"])
def test_labels_are_named_by_the_user(columns, names, dump, tmp_path, few):
    qsdask.ingest(dump, tmp_path / "types.zarr", species=SPECIES, run=few)
    labelled(dump, names, columns)
    typed = ",".join(f"{label}={element}" for label, element in zip(names, ("Cu", "Zr"), strict=True))
    store = tmp_path / "labels.zarr"
    assert main(["ingest", str(dump), str(store), "--species", typed, "--cluster", "threads", "--quiet"]) == 0
    assert species_in(store) == species_in(tmp_path / "types.zarr")
    assert qsdask.check(dump, species=dict(part.split("=") for part in typed.split(",")), progress=False).errors == []
    # The settings of the record are enough to do it again.
    kept = qsdask.info(store)["stages"][0]["settings"]["species"]
    qsdask.ingest(dump, store, species=kept, run=few)


def test_labels_that_are_no_elements_do_not_contradict_types(dump, tmp_path, few):
    labelled(dump, ("A", "Big"), "id type element x y z")
    qsdask.ingest(dump, tmp_path / "types.zarr", species=SPECIES, run=few)
    assert set(species_in(tmp_path / "types.zarr")) == {"Cu", "Zr"}
    with pytest.raises(BadDataError, match="E-SPECIES: --species says Cu, the element column says Zr"):
        qsdask.ingest(dump, tmp_path / "other.zarr", species={**SPECIES, "A": "Zr"}, run=few)
    qsdask.ingest(dump, tmp_path / "both.zarr", species={**SPECIES, "A": "Cu"}, run=few)


@pytest.mark.parametrize(
    ("species", "match"),
    [
        ({"A": "Cu", "C": "Zr"}, r"(?s)E-SPECIES: no atom has the label C.*are A, Big.*--species A=Cu,Big=Zr"),
        ({"A": "Cu"}, r"(?s)E-RADIUS: no atomic radius for Big.*--species Big=Cu"),
        (["Cu", "Zr"], r"(?s)E-SPECIES: the file has no types.*labels A, Big.*--species A=Cu,Big=Zr"),
        (None, r"E-RADIUS: no atomic radius for A, Big"),
    ],
)
def test_labels_that_are_missing_or_unknown_are_told(species, match, dump, tmp_path, few):
    labelled(dump, ("A", "Big"))
    with pytest.raises(BadDataError, match=match):
        qsdask.ingest(dump, tmp_path / "g.zarr", species=species, run=few)
    assert qsdask.check(dump, species=species, progress=False).errors[0].code in match


def test_labels_without_types_in_the_file_are_told(dump, tmp_path, few):
    with pytest.raises(BadDataError, match=r"(?s)E-SPECIES: no atom has the label A.*has types, and no labels"):
        qsdask.ingest(dump, tmp_path / "g.zarr", species={"A": "Cu"}, run=few)


def test_a_label_stands_once(dump, tmp_path, capsys):
    for option, value in (("--species", "A=Cu,B=Zr,A=Zr"), ("--species", "1=Cu,1=Zr"), ("--radius", "Cu=1,Cu=2")):
        assert main(["ingest", str(dump), str(tmp_path / "g.zarr"), option, value]) == 64
        assert "stands twice" in capsys.readouterr().err


def test_a_later_frame_with_other_labels_is_refused(dump, tmp_path, few):
    labelled(dump, ("A", "Big"))
    first, second = dump.read_text().split("ITEM: TIMESTEP\n")[1:]
    dump.write_text(f"ITEM: TIMESTEP\n{first}ITEM: TIMESTEP\n{second.replace(' A ', ' B ', 1)}")
    with pytest.raises(BadDataError, match="E-TYPE-CHANGE: 1 atoms"):
        qsdask.ingest(dump, tmp_path / "g.zarr", species={"A": "Cu", "Big": "Zr"}, run=few)


def test_labels_of_extended_xyz_that_are_no_elements(dump, tmp_path, few):
    pytest.importorskip("ase")
    qsdask.ingest(dump, tmp_path / "types.zarr", species=SPECIES, strain_step=0.01, run=few)
    text = ""
    for frame in dump.read_text().split("ITEM: TIMESTEP\n")[1:]:
        step, _, n, _, *bounds = frame.splitlines()[:7]
        edge = [float(b) - float(a) for a, b in (line.split() for line in bounds)]
        text += f'{n}\nLattice="{edge[0]!r} 0 0 0 {edge[1]!r} 0 0 0 {edge[2]!r}" pbc="T T T" Timestep={step} '
        text += "Properties=id:I:1:species:S:1:pos:R:3\n"
        text += "".join(
            f"{i} {'a1' if t == '1' else 'Cu'} {x} {y} {z}\n"
            for i, t, x, y, z in map(str.split, frame.splitlines()[8:])
        )
    file = tmp_path / "glass.extxyz"
    file.write_text(text)
    store = qsdask.ingest(file, tmp_path / "x.zarr", species={"a1": "Cu", "Cu": "Zr"}, strain_step=0.01, run=few)
    # Without the corner of the box rows stand in another order.
    one, two = (
        dict(zip(qsdask.open_store(s)["atoms"].ds["id"].values.tolist(), species_in(s), strict=True))
        for s in (store, tmp_path / "types.zarr")
    )
    assert one == two
    with pytest.raises(BadDataError, match="E-RADIUS: no atomic radius for a1"):
        qsdask.ingest(file, tmp_path / "y.zarr", strain_step=0.01, run=few)


def test_types_given_for_labels_that_are_elements_are_no_longer_needed(dump, tmp_path, few):
    """No hint to call zirconium copper."""
    rows = [line.split() for line in dump.read_text().replace("id type", "id element").splitlines()]
    name = {"1": "Cu", "2": "Zr"}
    dump.write_text(
        "".join(" ".join([r[0], name[r[1]], *r[2:]] if len(r) == 5 and r[1] in name else r) + "\n" for r in rows)
    )
    with pytest.raises(BadDataError, match=r"(?s)E-SPECIES.*no types.*leave the species out") as found:
        qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, run=few)
    assert "Zr=Cu" not in str(found.value)
    qsdask.ingest(dump, tmp_path / "g.zarr", run=few)
