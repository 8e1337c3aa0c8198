"""What a user names as the cluster: a word, an address, a scheduler file, or a file with a table ``[cluster]``."""

from __future__ import annotations

from pathlib import Path

from qsdask.errors import NoInputError, UsageError
from qsdask.settings import ClusterSettings, validated
from qsdask.settings.cluster import KINDS
from qsdask.settings.toml import read_toml

__all__ = ["cluster_of", "cluster_table"]


def cluster_of(
    cluster: str | Path | ClusterSettings | None, workers: int | None = None, memory_limit: str | None = None
) -> ClusterSettings:
    """Settings of the cluster that is named.

    Parameters
    ----------
    cluster : str, Path or ClusterSettings, optional
        A kind, such as ``"local"`` or ``"runner"``; ``tcp://HOST:PORT``; ``tls://HOST:PORT``; a scheduler file; a file
        whose name ends with ``.toml``. ``"local"`` when nothing is named.
    workers : int, optional
        Instead of those that the settings name.
    memory_limit : str, optional
        Likewise.

    Returns
    -------
    ClusterSettings

    Raises
    ------
    UsageError
        ``E-CLUSTER`` when it is none of these, ``E-SETTING`` when a setting does not fit.
    NoInputError
        ``E-CLUSTER-FILE`` when there is no such file.
    """
    found = cluster if isinstance(cluster, ClusterSettings) else _named(str(cluster or "local"))
    more = {"workers": workers, "memory_limit": memory_limit if _bounds_memory(found) else None}
    given = {name: value for name, value in more.items() if value is not None}
    return validated(ClusterSettings, **{**found.arguments(given_only=True), **given}) if given else found


def _bounds_memory(found: ClusterSettings) -> bool:
    # A scheduler that stands has workers with limits of their own: the option was always passed over.
    return found.kind not in ("address", "file")


def _named(name: str) -> ClusterSettings:
    if name in KINDS:
        return validated(ClusterSettings, kind=name)
    if name.startswith(("tcp://", "tls://")):
        return validated(ClusterSettings, kind="address", address=name)
    if name.endswith(".toml"):
        return cluster_table(Path(name))
    if name.endswith(".json") or Path(name).exists():
        return validated(ClusterSettings, kind="file", file=name)
    raise UsageError(
        f"cluster is {name!r}, expected local, threads, tcp://HOST:PORT, a scheduler file, FILE.toml or one of "
        f"{', '.join(KINDS[2:])}",
        code="E-CLUSTER",
    )


def cluster_table(file: Path) -> ClusterSettings:
    """Table ``[cluster]`` of a file in TOML; what else stands in the file, as in a recipe, is passed over.

    Raises
    ------
    NoInputError
        ``E-CLUSTER-FILE`` when it is not there.
    BadDataError
        ``E-RECIPE`` when it is not TOML.
    UsageError
        ``E-SETTING`` when it has no such table, or a setting does not fit.
    """
    if not file.is_file():
        raise NoInputError("no file with a table [cluster] here", code="E-CLUSTER-FILE", file=file)
    table = read_toml(file).get("cluster")
    if not isinstance(table, dict):
        raise UsageError(
            "there is no table [cluster]", code="E-SETTING", file=file, hint="'qsdask cluster --help' shows one"
        )
    try:
        return validated(ClusterSettings, **table)
    except UsageError as error:
        error.file, error.hint = str(file), "'qsdask run --settings' prints all settings of [cluster]"
        raise
