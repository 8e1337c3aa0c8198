"""From columns to quench-in softness, by a model; and what must be said of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qsdask.errors import BadDataError
from qsdask.learn.model import Model
from qsdask.learn.standard import Standard
from qsdask.learn.validity import outside, refuse_outside

__all__ = ["checked_rows", "probabilities", "quench_in_softness", "softness_of_atoms", "told_outside"]


def probabilities(model: Model, X: np.ndarray) -> np.ndarray:
    """Probability of being plastic by each model.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_feature)
        Columns in the order of ``model.columns``, see ``Model.check_features``; as ``model.part.seen`` gives them.

    Returns
    -------
    float64 array, shape (n_model, n)
        Of trees to the last bit what LightGBM itself predicts. NaN for rows that cannot be judged: with a feature that is
        not finite, or for linear models without any that is.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``: the number of columns is not that of the model.
    """
    return model.part.probabilities(checked_rows(model, X))


def checked_rows(model: Model, X: np.ndarray) -> np.ndarray:
    """Rows for a model, refused when they have not as many columns.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != len(model.columns):
        raise BadDataError(
            f"the model has {len(model.columns)} feature columns, the rows given have shape {X.shape}",
            code="E-FEATURES-DIFFER",
        )
    return X


def quench_in_softness(model: Model, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quench-in softness.

    Parameters
    ----------
    model, X
        As in `probabilities`.

    Returns
    -------
    qs : float64 array, shape (n,)
        From 0 (hard) to 1 (soft): of trees the mean plastic probability over the models, of a linear model that of all
        training atoms. NaN for rows that cannot be judged, see `probabilities`.
    qs_std : float64 array, shape (n,)
        Population standard deviation over the models.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``.

    Notes
    -----
    Each row is treated alone: any cut into chunks gives the same bits.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    return model.part.softness(checked_rows(model, X))


def softness_of_atoms(
    model: Model,
    X: np.ndarray,
    species: np.ndarray,
    names: Sequence[str],
    *,
    standard: Standard | None = None,
    accept: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quench-in softness of the atoms that the model was made for, and how far they are from what it knows.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_feature)
        Columns as they were computed, in the order of ``model.columns``.
    species : int array, shape (n,)
        Index into `names`.
    names : sequence of str
        Chemical symbols.
    standard : Standard, optional
        What the columns of the glass are measured by, for models that need it: ``model.part.standardises``.
    accept : bool
        Give numbers to elements that the model never saw, too.

    Returns
    -------
    qs, qs_std : float64 array, shape (n,)
        As of `quench_in_softness`. NaN also for elements that the model never saw, and for other species than its host.
    outside : float64 array, shape (n,)
        See `qsdask.learn.validity.outside`.
    """
    distance = outside(model.clouds, X, species, names)
    qs, spread = quench_in_softness(model, model.part.seen(X, species, names, standard))
    host, strangers = model.label.get("host"), model.outside_domain(names)
    meant = [(accept or name not in strangers) and host in (None, name) for name in names]
    without = ~np.array(meant, dtype=bool)[species]
    qs[without] = spread[without] = np.nan
    return qs, spread, distance


def told_outside(
    model: Model,
    name: str,
    species: Sequence[str],
    n_outside: int,
    n_known: int,
    *,
    accepted: bool,
    strictly: bool = False,
) -> list[str]:
    """What must be said of a glass that the model does not know, or does not quite know.

    Parameters
    ----------
    model : Model
        That was applied.
    name : str
        Of the model.
    species : sequence of str
        Chemical symbols of the glass.
    n_outside, n_known, accepted, strictly
        See `qsdask.learn.validity.refuse_outside`.

    Raises
    ------
    BadDataError
        ``E-OUT-OF-DOMAIN``.
    """
    strangers = model.outside_domain(species)
    told = [f"the model never saw {', '.join(strangers)}"] if strangers else []
    return told + refuse_outside(n_outside, n_known, name, accepted=accepted, strictly=strictly)
