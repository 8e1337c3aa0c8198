"""For people who add feature sets: known structures, blocks of them, and the tests that every set must pass."""

from __future__ import annotations

from importlib import import_module

__all__ = ["FeatureSetTests"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'qsdask.testing' has no attribute {name!r}")
    return getattr(import_module("qsdask.testing.conformance"), name)
