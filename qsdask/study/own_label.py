"""Labels of the user's own in stores: whether they fit together, and what they are for the atoms of each glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.learn import score
from qsdask.learn.counted import Counted, Levels, Sums
from qsdask.learn.own_label import Judge, is_own, needs_all, own_label, softward, told_rule
from qsdask.learn.tally import RESOLUTION, Tally
from qsdask.settings import TrainSettings
from qsdask.stages.label import group_of
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.response import check_response, refuse_undeformed, response_of
from qsdask.study.rows import labelled_rows
from qsdask.study.surface import margin_of, surface_ledgers
