"""All attacks of strangers, each on a copy of one small store; `attack` does one of them by its name."""

from __future__ import annotations

import shutil

from tests.chaos import attacks_of_inputs, attacks_on_places, attacks_on_runs
from tests.chaos.ground import Ground, Verdict

__all__ = ["ATTACKS", "attack"]

#: What is done, by its name; the number in front is that of the way to wrong numbers that it once was.
ATTACKS = {**attacks_on_runs.ATTACKS, **attacks_of_inputs.ATTACKS, **attacks_on_places.ATTACKS}


def attack(ground: Ground, name: str) -> Verdict | None:
    """Do one of `ATTACKS`; what it did not foresee is a harm too. None where it cannot be tried."""
    home = ground.home(f"attack-{list(ATTACKS).index(name)}")
    try:
        return ATTACKS[name](ground, home)
    except Exception as error:
        return Verdict(False, False, f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(home.folder, ignore_errors=True)
