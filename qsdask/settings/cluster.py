"""Where the stages run: the table ``[cluster]``, of a recipe or of a file of its own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from qsdask.settings.base import Settings

__all__ = ["BATCH", "KINDS", "OWN", "STANDING", "ClusterSettings", "Kind"]

Kind = Literal[
    "local",
    "threads",
    "address",
    "file",
    "slurm",
    "pbs",
    "sge",
    "lsf",
    "htcondor",
    "gateway",
    "kubernetes",
    "coiled",
    "runner",
    "python",
]

#: Processes and threads of this machine.
OWN = ("local", "threads")

#: Schedulers that run already.
STANDING = ("address", "file")

#: Batch systems: every worker is a job that waits in a queue.
BATCH = ("slurm", "pbs", "sge", "lsf", "htcondor")

#: What a kind cannot do without, and no other may have.
_NEEDED = {"address": "address", "file": "file", "python": "class_name"}

#: Kinds that need nothing beside their name: what they are given otherwise stands in Dask's own configuration.
KINDS = (*OWN, *BATCH, "gateway", "kubernetes", "coiled", "runner")


class ClusterSettings(Settings):
    """Where the stages run; it changes no number."""

    kind: Kind = Field(
        default="local",
        description="processes or threads of this machine; a scheduler that runs, by its address or scheduler file; jobs of a "
        "batch system; a service; runner: the tasks of one srun; python: any other class",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="processes, threads or jobs to start; all cores of this machine, one job elsewhere",
    )
    adapt: bool | None = Field(
        default=None,
        description="start workers when there is work, up to that number, and again where some were lost; left out: true for "
        "batch systems",
    )
    memory_limit: str | None = Field(
        default=None,
        description="memory of each worker process of this machine, such as 1.5GB; jobs have options.memory",
    )
    address: str | None = Field(default=None, description="of kind address: tcp://HOST:PORT or tls://HOST:PORT")
    file: str | None = Field(default=None, description="of kind file: the scheduler file")
    class_name: str | None = Field(
        default=None, alias="class", pattern=r"^[\w.]+:\w+$", description="of kind python: package.module:Class"
    )
    wait_minutes: float | None = Field(
        default=None, gt=0, description="how long a worker is waited for; left out: 10, in a batch system 1440"
    )
    options: dict[str, Any] = Field(
        default={}, description="handed to the class of the kind as they are; names that it does not know are refused"
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> ClusterSettings:
        for kind, name in _NEEDED.items():
            shown, given = type(self).model_fields[name].alias or name, getattr(self, name) is not None
            if given != (self.kind == kind):
                raise ValueError(f"{shown} is {'only for' if given else 'needed with'} kind = '{kind}'")
        if self.address is not None and not self.address.startswith(("tcp://", "tls://")):
            raise ValueError(f"address is {self.address!r}, expected tcp://HOST:PORT or tls://HOST:PORT")
        if self.kind in OWN and self.options:
            raise ValueError(f"options are not for kind = '{self.kind}'; it has workers and memory_limit")
        if self.memory_limit is not None and self.kind not in OWN:
            raise ValueError(f"memory_limit is not for kind = '{self.kind}'; jobs have options.memory")
        return self

    @property
    def adapts(self) -> bool:
        """Whether workers come and go with the work."""
        return self.kind in BATCH if self.adapt is None else self.adapt
