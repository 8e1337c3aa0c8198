"""Quench-in softness of metallic glasses: from strain-resolved trajectories to activation, out of core on Dask.

Every stage is a function here and a sub-command of ``qsdask``::

    qsdask.ingest("run7.dump.gz", "glass7.zarr", species={1: "Cu", 2: "Zr"}, strain_step=0.00125)
    qsdask.shells("glass7.zarr")
    qsdask.features("glass7.zarr")
    qsdask.respond("glass7.zarr")
    qsdask.train(["glass1.zarr", "glass2.zarr"], model="cuzr.qs")
    qsdask.predict("glass7.zarr", model="cuzr.qs")
    tree = qsdask.open_store("glass7.zarr")

Importing the package loads neither dask, numba nor lightgbm; each name brings what it needs when it is used.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_WHERE = {
    "activation": "qsdask.stages.activation",
    "check": "qsdask.stages.check",
    "evaluate": "qsdask.stages.evaluate",
    "export": "qsdask.stages.export",
    "features": "qsdask.stages.features",
    "info": "qsdask.stages.info",
    "ingest": "qsdask.stages.ingest",
    "migrate": "qsdask.stages.migrate",
    "open_store": "qsdask.store.open",
    "plan": "qsdask.stages.plan",
    "predict": "qsdask.stages.predict",
    "quickstart": "qsdask.stages.quickstart",
    "repair": "qsdask.stages.repair",
    "report": "qsdask.stages.report",
    "respond": "qsdask.stages.respond",
    "run": "qsdask.stages.run",
    "shells": "qsdask.stages.shells",
    "simulate": "qsdask.stages.simulate",
    "train": "qsdask.stages.train",
    "verify": "qsdask.stages.verify",
    "AtomQuantity": "qsdask.quantity",
    "Column": "qsdask.quantity",
    "QSDaskError": "qsdask.errors",
    "Run": "qsdask.engine.stage",
}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'qsdask' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
