"""One environment everywhere: a cluster that stands already must run what this process runs."""

from __future__ import annotations

from distributed import Client

from qsdask import __version__
from qsdask.errors import UsageError

__all__ = ["check_versions"]


def check_versions(client: Client) -> None:
    """Refuse a cluster that runs another qsdask, or packages that cannot talk to ours.

    Raises
    ------
    UsageError
        ``E-VERSIONS`` naming who has what.
    """
    try:
        client.get_versions(check=True)
    except ValueError as error:
        raise UsageError(
            f"packages differ between this process and the cluster: {error}",
            code="E-VERSIONS",
            hint="install the same environment everywhere",
        ) from None
    for address, found in client.run(_version).items():
        if found != __version__:
            raise UsageError(
                f"worker {address} has qsdask {found}, this is {__version__}",
                code="E-VERSIONS",
                hint="install the same qsdask everywhere",
            )


def _version() -> str:
    return __version__
