"""Run tokens for stages begun before there were any: from then on a late task of another run cannot write into them."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path

from qsdask.care.receipts import old_words, put_receipts, set_aside, tasks_of
from qsdask.schema import groups_of
from qsdask.store.durable import DurableStore
from qsdask.store.manifest import FILE_WORDS, Manifest, entry_of, read_manifest, receipts_digest
from qsdask.store.place import Place
from qsdask.store.record import Record, put_record, read_record
from qsdask.store.validate import damaged

__all__ = ["WAITING", "give_token", "with_token"]

#: Where the receipts without token wait until those with one are safe.
WAITING = "receipt-2"


def with_token(root: Path, record: Record) -> Record:
    """A record as it would be had its stage been begun today; the same one where nothing is missing.

    Its inputs are taken for those of this store where their digests agree: stages without tokens have no other witness.
    """
    found = {key: read_record(root, key) for key in record.inputs if groups_of(key)}
    lineage = {
        key: there.run for key, there in found.items() if there and there.digest == record.inputs[key] and there.run
    }
    return replace(record, runs=record.runs or (secrets.token_hex(8),), lineage={**lineage, **record.lineage})


def give_token(root: Path, record: Record, wanted: Record) -> None:
    """Replace the record of a stage, its receipts where they lack the token, and what its manifest says of both.

    Parameters
    ----------
    root : Path
        Root of the store.
    record, wanted : Record
        As it is, and as `with_token` wants it.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when manifest or receipts are not what was written.
    """
    key, checksum = record.key, None
    manifest = read_manifest(root, key) if record.complete else None
    if record.complete and manifest is None:
        raise damaged(root, f"ledger/{key}/manifest.json", "it is missing; 'qsdask repair' comes first")
    if not record.runs:
        words = old_words(root, record, WAITING, FILE_WORDS)
        if manifest is not None and receipts_digest(words) != manifest.receipts:
            raise damaged(root, f"ledger/{key}/receipt", "the receipts are not those of the manifest")
        set_aside(root, key, WAITING)
        done = {task: words[task][words[task][:, 0] > 0] for task in tasks_of(record)}
        put_receipts(root, wanted, {task: files for task, files in done.items() if len(files)})
    if manifest is not None:
        # Every other entry stays what the run that wrote the files said of them: nothing is vouched for anew.
        described = f"ledger/{key}/receipt/zarr.json"
        files = {**manifest.files, described: entry_of(Place(root).read(described))}
        renewed = Manifest(json.loads(json.dumps(wanted.fields())), files, manifest.receipts)
        DurableStore(root).put(f"ledger/{key}/manifest.json", renewed.text())
        checksum = renewed.checksum
    put_record(root, wanted, checksum)
