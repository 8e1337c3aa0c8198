"""What comes next in a store: the first stage on the way to softness that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qsdask.schema import group_at
from qsdask.store import ledger

__all__ = ["following"]


def following(store: str | Path, steps: Sequence[int] = (0,), model: str | None = None) -> str:
    """Command that brings a store on.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.ingest`.
    steps : sequence of int
        Frames that are worked on.
    model : str, optional
        Model folder that was just used.

    Returns
    -------
    str
        As typed.
    """
    path = Path(store)
    complete = {record.key for record in ledger.records(path) if record.complete}

    def there(stage: str) -> bool:
        return all(any(key.startswith(group_at(step, stage)) for key in complete) for step in steps)

    deformed = any(steps)
    at = f" --frame {','.join(map(str, steps))}" if deformed else ""
    if not there("shells"):
        return f"qsdask shells {path}{at}"
    if not there("features/"):
        return f"qsdask features {path}{at}"
    if deformed:
        return f"qsdask info {path}" if there("softness/") else f"qsdask predict {path} --model MODEL{at}"
    if "response/d2min" not in complete:
        return f"qsdask respond {path}"
    if model is None and not there("softness/"):
        return f"qsdask train {path} ... --model my.qs, or qsdask predict {path} --model MODEL"
    return f"qsdask evaluate {path} --model {model or 'MODEL'}"
