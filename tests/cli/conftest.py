"""The small store of the store's own tests."""

from tests.store.conftest import own, tiny

__all__ = ["own", "tiny"]
