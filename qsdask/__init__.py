"""Quench-in softness of metallic glasses: from strain-resolved trajectories to activation, out of core on Dask.

Every sub-command of ``qsdask`` is a function here::

    qsdask.ingest("run7.dump.gz", "glass7.zarr", species={1: "Cu", 2: "Zr"}, strain_step=0.00125)
    qsdask.shells("glass7.zarr")
    qsdask.features("glass7.zarr")
    qsdask.respond("glass7.zarr")
    qsdask.label("glass7.zarr", values="barriers.csv", name="barrier", unit="eV")
    qsdask.train(["glass1.zarr", "glass2.zarr"], model="cuzr.qs")
    qsdask.predict("glass7.zarr", model="cuzr.qs")
    tree = qsdask.open_store("glass7.zarr")

Importing the package loads neither dask, numba nor lightgbm; each name brings what it needs when it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module

from qsdask.moved import MovedModules

__version__ = "0.2.0"

_WHERE = {
    "activation": "qsdask.study.activation",
    "benchmark": "qsdask.study.benchmark",
    "check": "qsdask.care.check",
    "compare": "qsdask.study.compare",
    "contrast": "qsdask.study.contrast",
    "describe": "qsdask.system.describe",
    "evaluate": "qsdask.study.evaluate",
    "explain": "qsdask.stages.explain",
    "explore": "qsdask.explorer.serve",
    "export": "qsdask.views.export",
    "features": "qsdask.stages.features",
    "glasses": "qsdask.views.glasses",
    "importance": "qsdask.study.importance",
    "info": "qsdask.views.info",
    "ingest": "qsdask.stages.ingest",
    "label": "qsdask.stages.label",
    "migrate": "qsdask.care.migrate",
    "open_store": "qsdask.views.accessor",
    "packing": "qsdask.study.packing",
    "partial_dependence": "qsdask.study.partial_dependence",
    "plan": "qsdask.jobs.plan",
    "predict": "qsdask.stages.predict",
    "quickstart": "qsdask.jobs.quickstart",
    "repair": "qsdask.care.repair",
    "report": "qsdask.views.report",
    "respond": "qsdask.stages.respond",
    "respond_pair": "qsdask.system.describe",
    "run": "qsdask.jobs.run",
    "select": "qsdask.study.selection",
    "shells": "qsdask.stages.shells",
    "simulate": "qsdask.jobs.simulate",
    "softness": "qsdask.system.softness",
    "spectrum": "qsdask.study.spectrum",
    "stress": "qsdask.stages.stress",
    "surface": "qsdask.stages.surface",
    "train": "qsdask.study.train",
    "transfer": "qsdask.study.transfer",
    "verify": "qsdask.care.verify",
    "AtomQuantity": "qsdask.quantity",
    "Column": "qsdask.quantity",
    "QSDaskError": "qsdask.errors",
    "Run": "qsdask.engine.where",
}

__all__ = ["__version__", *sorted(_WHERE)]

sys.meta_path.append(MovedModules())


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'qsdask' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
