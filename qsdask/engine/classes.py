"""The class that starts a kind of cluster, and which options it knows."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from qsdask.errors import UsageError
from qsdask.settings import ClusterSettings

__all__ = ["class_of", "refuse_unknown"]

#: Kind -> class, and the extra of qsdask that brings it.
_CLASSES = {
    "slurm": ("dask_jobqueue:SLURMCluster", "hpc"),
    "pbs": ("dask_jobqueue:PBSCluster", "hpc"),
    "sge": ("dask_jobqueue:SGECluster", "hpc"),
    "lsf": ("dask_jobqueue:LSFCluster", "hpc"),
    "htcondor": ("dask_jobqueue:HTCondorCluster", "hpc"),
    "runner": ("dask_jobqueue.slurm:SLURMRunner", "hpc"),
    "gateway": ("dask_gateway:GatewayCluster", "gateway"),
    "kubernetes": ("dask_kubernetes.operator:KubeCluster", "cloud"),
    "coiled": ("coiled:Cluster", "cloud"),
}

#: What is ours to say: how many there are, and which loop everything runs in.
_OURS = {"n_workers", "asynchronous", "loop", "job_cls", "scheduler_cls", "scheduler", "client"}


def class_of(settings: ClusterSettings) -> Callable[..., Any]:
    """Class that starts the cluster.

    Raises
    ------
    UsageError
        ``E-EXTRA`` when its package is not installed, with what brings it; ``E-CLUSTER-CLASS`` when the package has no such
        class.
    """
    place, extra = _CLASSES.get(settings.kind, (str(settings.class_name), None))
    module, _, name = place.partition(":")
    try:
        with _own_signals():
            return getattr(import_module(module), name)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"kind = '{settings.kind}' needs the package {package}: {error}",
            code="E-EXTRA",
            hint=f"pip install 'qsdask[{extra}]'" if extra else f"install {package} here and on the workers",
        ) from None
    except AttributeError:
        raise UsageError(f"the package {module} has no class {name}", code="E-CLUSTER-CLASS") from None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Importing dask_jobqueue takes the interrupt from the keyboard for itself, which would end a job without a word."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def refuse_unknown(kind: str, made: Callable[..., Any], options: Collection[str], more: Collection[str] = ()) -> None:
    """Refuse options that a class does not know, before anything is started.

    Parameters
    ----------
    kind : str
        Kind of the cluster.
    made : callable
        The class.
    options : collection of str
        Names that the user gave.
    more : collection of str
        Names that are understood beside those of its signature.

    Raises
    ------
    UsageError
        ``E-CLUSTER-OPTIONS`` with the names that it may have meant.
    """
    if ours := sorted(_OURS & set(options)):
        raise UsageError(
            f"{', '.join(ours)} is not for [cluster.options]",
            code="E-CLUSTER-OPTIONS",
            hint="cluster.workers says how many; the rest is set by qsdask",
        )
    known, open_ended = _names(made)
    unknown = sorted(set(options) - known - set(more))
    if not unknown or open_ended:
        return
    near = [close for name in unknown for close in get_close_matches(name, known - _OURS, n=2)]
    raise UsageError(
        f"{', '.join(unknown)} is no option of {getattr(made, '__name__', made)} (kind = '{kind}')"
        + (f"; did you mean {' or '.join(near)}?" if near else ""),
        code="E-CLUSTER-OPTIONS",
        hint=f"it has {', '.join(sorted(known - _OURS))}",
    )


def _names(made: Callable[..., Any]) -> tuple[set[str], bool]:
    """Names of the keywords of a class, and whether it takes any other, too.

    Classes of dask-jobqueue hand what is left on: clusters to the class of a job and its bases, the runner to its own base.
    """
    names: set[str] = set()
    further: Any = getattr(made, "job_cls", made if hasattr(made, "get_role") else None)
    bases = inspect.getmro(further) if further else ()
    steps = [made, *(vars(one)["__init__"] for one in bases if "__init__" in vars(one))]
    for step in steps:
        parameters = inspect.signature(step).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)} - {"self"}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names, False
    return names, further is None
