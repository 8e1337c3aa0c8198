"""A model of softness: what was learned, with all that is needed to use it rightly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from qsdask import __version__
from qsdask.errors import BadDataError
from qsdask.learn.definition import (
    FORMAT_VERSION,
    canonical,
    definition_digest,
    differences,
    features_of_definition,
    plain,
)
from qsdask.learn.forest import ForestPart
from qsdask.learn.linear import LinearPart
from qsdask.learn.own_label import is_own
from qsdask.learn.part import Part
from qsdask.learn.table import Specimen, same_glass
from qsdask.learn.validity import Cloud
from qsdask.units import ANGSTROM

__all__ = ["Model", "versions"]


def versions() -> dict[str, str]:
    """Versions of the packages on which what is learned depends."""
    return {"qsdask": __version__, "lightgbm": version("lightgbm"), "numpy": version("numpy")}


@dataclass(frozen=True, eq=False)
class Model:
    """What was learned, with all that is needed to use it rightly.

    Attributes
    ----------
    columns : tuple of str
        Feature columns in the order of what was learned.
    definition : dict
        How the features were made.
    label : dict
        How the atoms were labelled.
    settings : dict
        Settings of the training.
    specimens : tuple of Specimen
        Training specimens.
    scores : dict
        ``folds``: scores of each model on the rows left out; ``mean``: their means. NaN: not defined.
    warnings : tuple of str
        What a reader of the scores should know, each beginning with a code.
    trees : dict of str to str
        LightGBM text of each model by file name ``fold-<draw>-<k>.txt``; empty where another learner was at work.
    versions : dict of str to str
        Of qsdask, lightgbm and numpy at training.
    clouds : dict of str to Cloud
        For every species the features of its training atoms; see `qsdask.learn.validity`. Empty for models made before
        there were any, and for those of too few atoms.
    trained : dict of str to float
        Of these atoms mean and standard deviation of QS and the shares of hard and soft ones; and how many times likelier
        soft atoms are plastic than hard ones, by models that did not see them. Empty where `clouds` is.
    linear : LinearPart, optional
        What the learner ``response`` found.
    """

    columns: tuple[str, ...]
    definition: dict[str, Any]
    label: dict[str, Any]
    settings: dict[str, Any]
    specimens: tuple[Specimen, ...]
    scores: dict[str, Any]
    warnings: tuple[str, ...]
    trees: dict[str, str]
    versions: dict[str, str] = field(default_factory=versions)
    clouds: dict[str, Cloud] = field(default_factory=dict)
    trained: dict[str, float] = field(default_factory=dict)
    linear: LinearPart | None = None

    @property
    def prior(self) -> float:
        """Plastic fraction of the usable training atoms."""
        return sum(s.n_plastic for s in self.specimens) / sum(s.n_usable for s in self.specimens)

    @property
    def trained_prior(self) -> float:
        """Plastic fraction after undersampling."""
        few = min(self.prior, 1 - self.prior)
        share = few / (few + min(1 - few, self.settings["ratio"] * few))
        return share if self.prior <= 0.5 else 1 - share

    @property
    def length(self) -> str:
        """Unit of the lengths of the glasses that it was learned from, ``"angstrom"`` or ``"sigma"``."""
        return str(self.definition.get("length", ANGSTROM))

    @cached_property
    def part(self) -> Part:
        """What makes probabilities from columns; the only place that asks who learned."""
        return self.linear or ForestPart(self.columns, self.trees, self.settings.get("parallel") == "data")

    def __getstate__(self) -> dict[str, Any]:
        """Travel between Dask processes as text, which is read anew there."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def digest(self) -> str:
        """SHA-256 of the whole model: the same for the same training data and settings.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(canonical(self.record())).hexdigest()

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """Settings of the feature sets that it learned from, by name of the set."""
        return features_of_definition(self.definition)

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the feature sets that it learned from."""
        return tuple(self.features)

    def check_features(self, columns: Sequence[str], definition: Mapping[str, Any]) -> np.ndarray:
        """Refuse features that were made in another way; find the model's columns by name.

        Parameters
        ----------
        columns : sequence of str
            Feature columns of the store, in any order; there may be more than the model needs.
        definition : mapping
            How they were made. Under the key ``radii`` only elements that both sides name are compared: a
            model may be applied to another alloy.

        Returns
        -------
        int64 array, shape (n_feature,)
            Where each column of the model stands: ``X[:, index]`` is what `quench_in_softness` wants.

        Raises
        ------
        BadDataError
            ``E-MODEL-UNITS`` for features of a store whose lengths have another unit; ``E-FEATURES-DIFFER``, listing the
            differences.
        """
        self._refuse_other_length(definition.get("length", ANGSTROM))
        found = differences(plain(self.definition), plain(definition), "")
        place = {name: k for k, name in enumerate(columns)}
        missing = [name for name in self.columns if name not in place]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            found.insert(0, f"columns missing: {shown}")
        if len(place) != len(columns):
            found.insert(0, "the store names a column twice")
        if found:
            more = f"; and {len(found) - 20} more" if len(found) > 20 else ""
            raise BadDataError(
                "the features of the store are not those the model was trained on: " + "; ".join(found[:20]) + more,
                code="E-FEATURES-DIFFER",
                hint="compute the features with the model's settings, or train a model on these features",
            )
        return np.array([place[name] for name in self.columns], dtype=np.int64)

    def _refuse_other_length(self, length: str) -> None:
        if length != self.length:
            raise BadDataError(
                f"the model was learned from glasses whose lengths are in {self.length}, those of the store are in {length}",
                code="E-MODEL-UNITS",
                why="radii, cut-offs and thresholds of one unit are not those of the other",
                hint="apply it to glasses of its own unit, or train a model on these",
            )

    def check_specimen(self, key: str, fingerprint: Sequence[float] = ()) -> None:
        """Refuse to be judged on a specimen it was trained on.

        Parameters
        ----------
        key : str
            Key of the specimen.
        fingerprint : sequence of float
            Interatomic distances as in `Specimen`; see `qsdask.learn.same_glass`. Unit: angstrom.

        Raises
        ------
        BadDataError
            ``E-SPECIMEN-BOTH-SIDES``.
        """
        for specimen in self.specimens:
            if same_glass(key, fingerprint, specimen.key, specimen.fingerprint):
                raise BadDataError(
                    f"the specimen is training specimen {specimen.name!r} of the model",
                    code="E-SPECIMEN-BOTH-SIDES",
                    why="scores on atoms that were trained on say nothing about other glasses",
                    hint="evaluate on a held-out specimen, or train without this one",
                )

    def outside_domain(self, species: Sequence[str]) -> list[str]:
        """Elements of a store that no training specimen holds.

        Parameters
        ----------
        species : sequence of str
            Chemical symbols.

        Returns
        -------
        list of str
            Sorted; empty when all are known, or the training specimens do not name theirs. Softness is then
            a transfer to another alloy: to be flagged, not refused.
        """
        known = {s for specimen in self.specimens for s in specimen.species}
        return sorted(set(species) - known) if known else []

    def record(self) -> dict[str, Any]:
        """All of the model but the texts of its trees, of which it holds the SHA-256; JSON values."""
        definition = plain(self.definition)
        return plain(
            {
                "format_version": self._format_version(),
                "columns": self.columns,
                "definition": definition,
                "definition_sha256": definition_digest(definition),
                "label": self.label,
                "settings": self.settings,
                "specimens": [asdict(s) for s in self.specimens],
                "scores": self.scores,
                "warnings": self.warnings,
                **self.part.record(),
                "versions": self.versions,
                **self._experience(),
            }
        )

    def _format_version(self) -> int:
        """The oldest format that says all of it: what the first one can say stays as it was."""
        first = self.linear is None and len(self.sets) == 1 and not is_own(self.label)
        return 1 if first else FORMAT_VERSION

    def _experience(self) -> dict[str, Any]:
        if not self.clouds:
            return {}
        return {"clouds": {name: cloud.record() for name, cloud in self.clouds.items()}, "trained": self.trained}
