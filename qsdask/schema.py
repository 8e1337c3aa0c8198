"""Registry of everything a store may hold: group, dimensions, dtype, unit, meaning, and what "no value" looks like.

No array reaches a store unless it is named here. The same text becomes the attributes of the stored arrays
(``units``, ``long_name``) and the tables of ``qsdask/store/README.md``, which ``python -m tests.layout --write`` makes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = [
    "FORMAT_VERSION",
    "STAGES",
    "VARIABLES",
    "Stage",
    "Variable",
    "command_of",
    "frame_of",
    "group_at",
    "groups_of",
    "stage_of",
    "steps_in_file",
    "variables_of",
]

#: Version of the layout; a store with a higher one is refused, one with a lower one must be migrated.
FORMAT_VERSION = 2


#: Most steps in one file, and files that a store has at least before it puts several steps into one.
MOST_IN_FILE = 8


@dataclass(frozen=True)
class Variable:
    """One stored array.

    Attributes
    ----------
    group : str
        Path of its group; ``*`` stands for a name chosen by the user (feature set, label, model).
    name : str
        Name of the array in the group.
    dims : tuple of str
        Dimension names.
    dtype : str
        NumPy dtype, or ``"string"``.
    units : str
        Unit; ``"1"`` for a pure number.
    long_name : str
        Meaning, in a sentence.
    coordinate : bool
        Whether xarray shows it as a coordinate of the group.
    whole : bool
        Whether it is written at once, as one chunk, by the process that runs the stage; coordinates always are.
    """

    group: str
    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str
    coordinate: bool = False
    whole: bool = False

    @property
    def fill_value(self) -> object:
        """What an unwritten or empty element reads as: NaN, -1, False, or an empty string."""
        kind = self.dtype[0]
        if self.dtype == "string":
            return ""
        return {"f": float("nan"), "i": -1, "u": 0, "b": False}[kind]


@dataclass(frozen=True)
class Stage:
    """One step of the way from a trajectory to softness, and the groups it fills.

    Attributes
    ----------
    name : str
        Its module in `qsdask.stages`; progress bars carry it too.
    groups : tuple of str
        Groups it writes, ``*`` as in `Variable`.
    command : str
        What a user types after ``qsdask``; ``{store}`` and ``{name}``, what stands for ``*``, are filled in.
    at_step : bool
        Whether frames other than the undeformed one may have it.
    optional : bool
        Whether softness and its scores do without it.
    """

    name: str
    groups: tuple[str, ...]
    command: str
    at_step: bool = False
    optional: bool = False

    @property
    def ledger(self) -> str:
        """Pattern of the names of its ledgers: a stage that fills one group is called like it."""
        return self.groups[0] if len(self.groups) == 1 else self.name


#: In the order of computation.
STAGES: tuple[Stage, ...] = (
    Stage("ingest", ("atoms", "frames", "domains"), "ingest DUMP {store}"),
    Stage("stress", ("stress",), "stress {store} --from FILE", optional=True),
    Stage("surface", ("surface",), "surface {store}", optional=True),
    Stage("shells", ("shells/voronoi", "shells/cutoff"), "shells {store}", at_step=True),
    Stage("features", ("features/*",), "features {store} --set {name}", at_step=True),
    Stage("respond", ("response/d2min",), "respond {store}"),
    Stage("propensity", ("response/propensity",), "respond {store} --runs OTHER.zarr", optional=True),
    Stage("label", ("labels/*",), "label {store} --from FILE --name {name}", optional=True),
    Stage("predict", ("softness/*",), "predict {store} --model {name}.qs", at_step=True),
    Stage("explain", ("explanation/*",), "explain {store} --model {name}.qs", at_step=True, optional=True),
)

#: Groups and ledgers of a deformed frame: the same names as for the undeformed one, below its step.
_OF_FRAMES = "|".join(stage.groups[0].partition("/")[0] for stage in STAGES if stage.at_step)
_AT_STEP = re.compile(rf"steps/([1-9][0-9]*)/((?:{_OF_FRAMES})(?:/.*)?)")


#: Meaning of the coordinate of frames, wherever it stands.
_STRAIN = "engineering strain of the loading, a fraction, positive in the direction of the first loading"


def _shell(group: str) -> tuple[Variable, ...]:
    """What every shell of neighbours has."""
    image = "lattice vectors a, b, c to add to the neighbour's wrapped position"
    row = "row of the neighbour in this store, -1 where the slot is empty"
    return (
        Variable(group, "neighbour", ("atom", "slot"), "int64", "1", row),
        Variable(group, "image", ("atom", "slot", "vector"), "int8", "1", image),
        Variable(group, "distance", ("atom", "slot"), "float64", "angstrom", "distance to the neighbour"),
    )


VARIABLES: tuple[Variable, ...] = (
    Variable("atoms", "id", ("atom",), "int64", "1", "atom id given by the trajectory"),
    Variable("atoms", "species", ("atom",), "int16", "1", "index into species_name and radius"),
    Variable("atoms", "species_name", ("kind",), "string", "1", "chemical symbol"),
    Variable("atoms", "radius", ("kind",), "float64", "angstrom", "atomic radius used for interstices"),
    Variable("frames", "position", ("step", "atom", "xyz"), "float64", "angstrom", "Cartesian position as read"),
    Variable("frames", "cell", ("step", "vector", "xyz"), "float64", "angstrom", "cell vectors a, b, c as rows"),
    Variable("frames", "origin", ("step", "xyz"), "float64", "angstrom", "lower corner of the cell"),
    Variable("frames", "source_hash", ("step", "word"), "uint64", "1", "128-bit XXH3 hash of the frame as it was read"),
    Variable("frames", "n_lost", ("step",), "int64", "1", "atoms of the first frame that are missing"),
    Variable("frames", "n_new", ("step",), "int64", "1", "atoms that the first frame does not have; they are left out"),
    Variable("frames", "n_outside", ("step",), "int64", "1", "wrapped atoms more than a box length outside of the box"),
    Variable("frames", "periodic", ("vector",), "bool", "1", "whether the cell repeats along a, b, c"),
    Variable("frames", "xyz", ("xyz",), "string", "1", "Cartesian axis", coordinate=True),
    Variable("frames", "strain", ("step",), "float64", "1", _STRAIN, coordinate=True),
    Variable("frames", "timestep", ("step",), "int64", "1", "timestep number in the trajectory", coordinate=True),
    Variable(
        "frames",
        "deformation",
        ("step", "xyz", "line"),
        "float64",
        "1",
        "deformation gradient of the cell: images of undeformed unit lines along x, y, z as columns; NaN without a period",
        whole=True,
    ),
    Variable(
        "domains",
        "bounds",
        ("step", "domain", "side", "vector"),
        "float64",
        "1",
        "lowest and highest reduced coordinate of the rows of a domain",
    ),
    Variable("domains", "row", ("domain", "side"), "int64", "1", "first row of a domain and the row after its last"),
    Variable(
        "stress",
        "stress",
        ("step",),
        "float64",
        "GPa",
        "stress along the loading, positive with the load, as the table of the simulation has it; NaN for frames without a row",
    ),
    Variable("stress", "strain", ("step",), "float64", "1", _STRAIN, coordinate=True),
    Variable(
        "surface", "on_surface", ("atom",), "bool", "1", "whether the atom of the undeformed frame is on a free surface"
    ),
    Variable(
        "surface",
        "surface_distance",
        ("atom",),
        "float64",
        "angstrom",
        "distance from the nearest free surface of the undeformed frame, 0 on it; inf where none is within reach",
    ),
    *_shell("shells/voronoi"),
    Variable("shells/voronoi", "facet_area", ("atom", "slot"), "float64", "angstrom^2", "area of the shared facet"),
    Variable("shells/voronoi", "edges", ("atom", "slot"), "int16", "1", "number of edges of the shared facet"),
    Variable("shells/voronoi", "cell_volume", ("atom",), "float64", "angstrom^3", "volume of the Voronoi cell"),
    Variable(
        "shells/voronoi",
        "flag",
        ("atom",),
        "uint8",
        "1",
        "1: cell open (free surface), 4: coincident atoms, 8: no cell for rounding, 16: no cell (radical)",
    ),
    *_shell("shells/cutoff"),
    Variable("features/*", "value", ("atom", "feature"), "float32", "1", "value of each feature column"),
    Variable("features/*", "feature", ("feature",), "string", "1", "column name", coordinate=True),
    Variable("features/*", "unit", ("feature",), "string", "1", "unit of each column", coordinate=True),
    Variable("features/*", "meaning", ("feature",), "string", "1", "meaning of each column", coordinate=True),
    Variable(
        "passes/*",
        "state",
        ("pass", "atom", "state"),
        "float64",
        "1",
        "numbers of each atom after each pass of a set that takes steps; kept beside the store until the set is complete",
    ),
    Variable(
        "response/d2min",
        "d2min",
        ("step", "atom"),
        "float64",
        "angstrom^2",
        "non-affine squared displacement against the undeformed frame",
    ),
    Variable("response/d2min", "valid", ("step", "atom"), "bool", "1", "whether the affine fit was regular"),
    Variable("response/d2min", "strain", ("step",), "float64", "1", _STRAIN, coordinate=True),
    Variable(
        "response/propensity",
        "frequency",
        ("step", "atom"),
        "float64",
        "1",
        "fraction of isoconfigurational runs in which the atom is plastic",
    ),
    Variable(
        "response/propensity",
        "d2min_mean",
        ("step", "atom"),
        "float64",
        "angstrom^2",
        "non-affine squared displacement, mean over isoconfigurational runs",
    ),
    Variable("response/propensity", "strain", ("step",), "float64", "1", _STRAIN, coordinate=True),
    Variable(
        "labels/*",
        "value",
        ("atom",),
        "float64",
        "1",
        "value that the user gave the atom, NaN where there is none; its unit and meaning are those given with it",
    ),
    Variable(
        "softness/*",
        "qs",
        ("atom",),
        "float64",
        "1",
        "quench-in softness: probability of being plastic, learned from equal classes",
    ),
    Variable(
        "softness/*",
        "qs_std",
        ("atom",),
        "float64",
        "1",
        "standard deviation of this probability over models that each lack a part of the training atoms",
    ),
    Variable(
        "softness/*",
        "outside",
        ("atom",),
        "float32",
        "1",
        "distance of the features from those of the training atoms of the species; 1: farther out than 99 % of these",
    ),
    Variable(
        "explanation/*",
        "score",
        ("atom",),
        "float64",
        "1",
        "logarithm of the odds of being soft, as of QS; of trees its mean over the fold models",
    ),
    Variable(
        "explanation/*",
        "contribution",
        ("atom", "feature"),
        "float32",
        "1",
        "what each column adds to the score (Shapley value), rounded to single precision; sums of them are good to 1e-5",
    ),
    Variable(
        "explanation/*",
        "summed",
        ("atom", "part"),
        "float64",
        "1",
        "what the columns of each part add to the score; with the mean of expected they add up to it, to 1e-9",
    ),
    Variable("explanation/*", "feature", ("feature",), "string", "1", "column name", coordinate=True),
    Variable("explanation/*", "meaning", ("feature",), "string", "1", "meaning of each column", coordinate=True),
    Variable(
        "explanation/*", "part", ("part",), "string", "1", "range and quantity that columns share", coordinate=True
    ),
    Variable(
        "explanation/*",
        "expected",
        ("fold",),
        "float64",
        "1",
        "score of an atom of which nothing is known: by each fold model of trees, or by the linear model",
        whole=True,
    ),
)


def steps_in_file(n_step: int) -> int:
    """Steps of one domain that lie in one file, are computed by one task and have one receipt.

    Few enough that some workers have something to do while frames are read, and none for the few frames of a small store.
    """
    return max(1, min(MOST_IN_FILE, n_step // MOST_IN_FILE))


def group_at(step: int, name: str) -> str:
    """Place of a group or ledger that describes one frame: ``steps/32/features/interstice`` for step 32.

    The undeformed frame, step 0, keeps the plain name.
    """
    return f"steps/{step}/{name}" if step else name


def frame_of(path: str) -> tuple[int, str]:
    """Step and plain name of a group, ledger or file; undoes `group_at`."""
    found = _AT_STEP.fullmatch(path)
    return (int(found[1]), found[2]) if found else (0, path)


def variables_of(group: str) -> tuple[Variable, ...]:
    """Variables registered for the group at `group`, in their written order."""
    name = frame_of(group)[1]
    return tuple(v for v in VARIABLES if fnmatchcase(name, v.group))


def stage_of(name: str) -> Stage:
    """Stage that writes the group, or has the ledger, of this name.

    Raises
    ------
    KeyError
        When no stage does.
    """
    plain = frame_of(name)[1]
    for stage in STAGES:
        if any(fnmatchcase(plain, pattern) for pattern in (stage.ledger, *stage.groups)):
            return stage
    raise KeyError(name)


def groups_of(key: str) -> tuple[str, ...]:
    """Groups that the stage of a ledger fills; none for a name that no stage has."""
    step, name = frame_of(key)
    for stage in STAGES:
        if fnmatchcase(name, stage.ledger):
            return tuple(group_at(step, group) for group in (stage.groups if len(stage.groups) > 1 else (name,)))
    return ()


def command_of(store: object, key: str) -> str:
    """What to type to compute the stage of a ledger, or of a group."""
    step, name = frame_of(key)
    typed = stage_of(name).command.format(store=store, name=name.partition("/")[2])
    return f"qsdask {typed}" + f" --frame {step}" * (step > 0)
