"""What can be known of a stage whose own files may be damaged: ledger and manifest vouch for one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qsdask.errors import QSDaskError, StoreIOError
from qsdask.store.manifest import Manifest, as_it_stands, read_manifest
from qsdask.store.marks import mark_of
from qsdask.store.record import Record, read_record, record_from, record_text

__all__ = ["StageState", "state_of"]


@dataclass
class StageState:
    """What is known of a stage.

    Attributes
    ----------
    key : str
        Its ledger.
    record : Record or None
        From the ledger, else from the manifest; None when both are damaged.
    manifest : Manifest or None
        None when it is damaged, or the stage unfinished.
    faults : dict of str to str
        Damaged files among the ledger's metadata and the manifest, and what is wrong.
    """

    key: str
    record: Record | None = None
    manifest: Manifest | None = None
    faults: dict[str, str] = field(default_factory=dict)


def state_of(root: Path, key: str) -> StageState:
    """What ledger and manifest of a stage say, each only as far as its checksum holds.

    Parameters
    ----------
    root : Path
        Root of the store.
    key : str
        Ledger of the stage.

    Returns
    -------
    StageState
    """
    ledger, listed = f"ledger/{key}/zarr.json", f"ledger/{key}/manifest.json"
    state = StageState(key)
    record = manifest = None
    try:
        record = read_record(root, key)
        if record is None:
            state.faults[ledger] = "it is missing"
    except QSDaskError as refusal:
        state.faults[ledger] = refusal.message
    try:
        manifest = read_manifest(root, key)
    except StoreIOError as refusal:
        state.faults[listed] = refusal.message
    if record is None and manifest is not None:
        record = record_from(manifest.record)
    if record is None or not record.complete:
        # The manifest of an unfinished stage is of no use, and will be written again.
        state.record = record
        state.faults = {file: text for file, text in state.faults.items() if file == ledger}
        return state
    if ledger not in state.faults:
        named = mark_of(root, f"ledger/{key}")["manifest"]
        if manifest is None and listed not in state.faults:
            state.faults[listed] = "it is missing"
        elif manifest is not None and named != manifest.checksum:
            manifest, state.faults[listed] = None, "it is not the one that the ledger names"
        elif as_it_stands(root, ledger) != record_text(record, named):
            state.faults[ledger] = "it is not what was written"
    state.record, state.manifest = record, manifest
    return state
