"""``migrate``: bring a store of an older format to the present one, and add what follows from what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qsdask import schema
from qsdask.care import format_one, run_tokens
from qsdask.care.format_one import from_format_one
from qsdask.care.run_tokens import give_token, with_token
from qsdask.care.together import put_in_place, put_together, wanted_stride
from qsdask.care.verify import verify
from qsdask.engine.tasks import progress_bar
from qsdask.engine.where import Run
from qsdask.errors import NoInputError
from qsdask.files.location import located
from qsdask.files.lock import writing
from qsdask.intake.loading import loading_of
from qsdask.settings import IngestSettings
from qsdask.stages.surface import surface_when_missing
from qsdask.store import ledger
from qsdask.store.marks import MIGRATION, check_format, check_requires, in_migration, mark_in, mark_of
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import keys, publish, read_record, require_store
from qsdask.store.template import create_array, write_whole
from qsdask.store.validate import damaged, metadata

__all__ = ["migrate"]


def migrate(store: str | Path, *, progress: bool = True) -> Path:
    """Bring a store of an older qsdask to the present format, and add what came later; its numbers stay as they are.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The store. Stages begun before there were run tokens get them. It gets the deformation gradient of its frames and
        the name of its loading, if it does not have them, and the distances of its atoms from free surfaces, which models
        then go by; its strains stay those that its labels rest on. Of sixteen frames and more, several come to lie in one file.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store, or one of another program.
    BadDataError
        ``E-FORMAT-VERSION`` when a newer qsdask wrote it.
    StoreIOError
        ``E-STORE-DAMAGED`` when a file is not what its receipt says: then the store cannot vouch for itself.
    ResumableError
        ``E-LOCKED`` when somebody writes into it.

    Notes
    -----
    Every file is compared with the old receipts first. When it is interrupted, the same command goes on.
    """
    root = located(store)
    require_store(root)
    if not Place(root).exists(
        "ledger"
    ):  # every format has one; what has none is of another program, and stays as it is
        raise NoInputError("this is no store of qsdask", code="E-NO-STORE", file=root, hint="nothing was changed here")
    with writing(root):
        put_in_place(root, interrupted=in_migration(_root_mark(root)))
        old = [key for key in keys(root) if _format(root, key) == 1]
        if old or _root_mark(root).get("format") != schema.FORMAT_VERSION:
            with progress_bar("migrate", len(old), show=progress) as advance:
                for key in old:
                    from_format_one(root, key)
                    advance(1)
            _show(root, format_one.WAITING)
        _add_tokens(root, progress)
        _add_gradient(root, progress)
        _put_together(root, progress)
        # In threads of this process: others would take longer to start than most stores take.
        if (ingested := read_record(root, "ingest")) is not None and ingested.complete:
            surface_when_missing(root, Run(cluster="threads", progress=progress))
    return root


def _show(root: Path, waiting: str) -> None:
    """Show the store again; what waited for that is not needed any more."""
    for key in keys(root):
        Place(root).remove_all(f"ledger/{key}/{waiting}")
    publish(root)


def _add_tokens(root: Path, progress: bool) -> None:
    """Run tokens of stages that were begun before there were any."""
    found = [record for key in keys(root) if (record := read_record(root, key)) is not None]
    if all(with_token(root, record) == record for record in found) and not in_migration(_root_mark(root)):
        return
    # Nobody reads receipts of the new kind by a record of the old.
    publish(root, requires=[MIGRATION])
    with progress_bar("run tokens", len(found), show=progress) as advance:
        for record in found:
            # Only now: the stages that it builds on have theirs.
            if (wanted := with_token(root, record)) != record:
                give_token(root, record, wanted)
            advance(1)
    _show(root, run_tokens.WAITING)


def _add_gradient(root: Path, progress: bool) -> None:
    """Deformation gradient and loading of a store that was ingested before there were any."""
    record = read_record(root, "ingest")
    if record is None or not record.complete or "loading" in record.facts:
        return
    # Its manifest is made anew from the files, which must be those that it names; a gradient without a manifest is what an
    # interrupted try left.
    found = (d for d in verify(root, progress=progress) if d.stage == "ingest" and not d.harmless)
    if harm := [d for d in found if not d.file.startswith("frames/deformation/")]:
        raise damaged(root, harm[0].file, "a damaged store cannot be migrated; 'qsdask repair' comes first")
    reader = StoreReader(root)
    kept = IngestSettings(**IngestSettings.among(record.settings))
    loading = loading_of(reader["frames/cell"][:], reader["frames/periodic"][:], kept)
    (variable,) = (v for v in schema.variables_of("frames") if v.name == "deformation")
    Place(root).remove_all("frames/deformation")
    create_array(root, "frames", variable, {"step": record.shape[1], "xyz": 3, "line": 3}, {})
    write_whole(root, "frames", {"deformation": loading.deformation})
    ledger.seal(root, replace(record, provenance={**record.facts, "loading": loading.facts}))
    publish(root)


def _put_together(root: Path, progress: bool) -> None:
    """Several steps into one file, where there was one for each."""
    found = [record for key in keys(root) if (record := read_record(root, key)) is not None]
    todo = [record for record in found if wanted_stride(record) > 1]
    with progress_bar("files", len(todo), show=progress) as advance:
        for record in todo:
            put_together(root, record)
            advance(1)


def _root_mark(root: Path) -> dict:
    found = metadata(root, "zarr.json")
    if found is None:
        raise damaged(root, "zarr.json", "it is missing")
    mark = mark_in({"qsdask": {"format": 1}, **found.get("attributes", {})}) or {}
    if not in_migration(mark):
        check_requires(root, mark)
    return mark


def _format(root: Path, key: str) -> int:
    """Format of one stage; a newer one is refused."""
    mark = mark_of(root, f"ledger/{key}")
    if "format" not in mark:
        raise damaged(root, f"ledger/{key}/zarr.json", "it names no format")
    number = mark["format"]
    if number != 1:
        check_format(root, number)
    return number
