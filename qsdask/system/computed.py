"""Shells, features and D2min of frames in memory, by the very tasks of the stages: the numbers are those of a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from qsdask.engine.cost import SLOTS, size_of
from qsdask.engine.passes import cuts_of, pass_of_domain, state_group
from qsdask.errors import UsageError
from qsdask.learn import Model, softness_of_atoms
from qsdask.quantity import IteratedQuantity, source_of_set, surroundings
from qsdask.settings import FeatureSettings, RespondSettings, ShellSettings, refuse_defaults
from qsdask.settings.base import AUTO
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.stages.definition import definition, joined
from qsdask.stages.features import facts_of, features_of_domain, quantity_of, settings_of_set, told_of_columns
from qsdask.stages.respond import respond_of_domain
from qsdask.stages.shells import SlotOverflow, enough_slots, facts_of_shells, shells_of_domain
from qsdask.stages.standard import standard_in_memory
from qsdask.store.in_memory import StoreInMemory

__all__ = ["add_features", "add_response", "add_shells", "add_softness"]


def add_shells(store: StoreInMemory, settings: ShellSettings) -> None:
    """Find the neighbours of every atom of the first frame; see `qsdask.stages.shells`."""
    slots = dict(SLOTS)
    while True:
        for name, n_slot in slots.items():
            store.create(f"shells/{name}", {"atom": store.n_atom, "slot": n_slot, "vector": 3})
        try:
            _each(
                store, partial(shells_of_domain, store, 0, steps=[0], frame=0, settings=settings.stored(store.length))
            )
        except SlotOverflow as overflow:
            slots[overflow.shell] = enough_slots(slots[overflow.shell], overflow.needed)
        else:
            return


def add_features(store: StoreInMemory, chosen: FeatureSettings, shells: ShellSettings) -> dict[str, Any]:
    """Compute one feature set of the first frame, and the shells that it needs; see `qsdask.stages.features`.

    Parameters
    ----------
    store : StoreInMemory
        With atoms and frames; gets ``features/<set>``.
    chosen : FeatureSettings
        Naming one set.
    shells : ShellSettings
        Of the shells, where the set needs some.

    Returns
    -------
    dict
        How they are defined; see `qsdask.stages.definition`.
    """
    facts = {**facts_of(store), **facts_of_shells(shells.stored(store.length))}
    quantity = quantity_of(chosen.set, chosen, facts)
    if quantity.shells:
        _refuse_unsaid(shells, store)
        add_shells(store, shells)
    group, told = f"features/{quantity.name}", told_of_columns(quantity, store.length)
    store.create(group, {"atom": store.n_atom, "feature": len(told["feature"])})
    store.put(group, told)
    settings = {**chosen.stored(), "set": quantity.name}
    fixed: dict[str, Any] = {"frame": 0, "settings": settings, "facts": facts}
    if isinstance(quantity, IteratedQuantity):
        fixed["cuts"] = _add_states(store, quantity)
        fixed["states"] = store
    for part in range(1 + len(surroundings(quantity))):
        _each(store, partial(features_of_domain, store, part, steps=[0], **fixed, source=source_of_set(quantity.name)))
    store.drop(state_group(quantity.name))
    return definition(
        store, settings_of_set(quantity, chosen, store.length), shells.stored(store.length) if quantity.shells else {}
    )


def _add_states(store: StoreInMemory, quantity: IteratedQuantity) -> tuple[int, ...]:
    """Do the passes of a set whose atoms take steps; the step at which each begins, and their number."""
    cuts = cuts_of(size_of(store), quantity)
    n_pass = len(cuts) - 2
    store.create(state_group(quantity.name), {"pass": n_pass, "atom": store.n_atom, "state": quantity.n_state})
    for part in range(n_pass):
        _each(store, partial(pass_of_domain, store, part, quantity=quantity, cuts=cuts, frame=0))
    return cuts


def _refuse_unsaid(settings: ShellSettings | RespondSettings, store: StoreInMemory) -> None:
    """Lengths that nobody gave, where angstrom are not meant; and a cut-off that is measured in stores only."""
    refuse_defaults(settings, store.length, measured=False)
    if settings.cutoff_angstrom == AUTO:
        raise UsageError(
            "a cut-off 'auto' is of stores: frames in memory need a number",
            code="E-SETTING",
            hint="give a number, such as the one that 'qsdask shells STORE --cutoff auto' prints",
        )


def add_softness(store: StoreInMemory, model: Model, name: str, *, accept: bool = False) -> list[str]:
    """Compute the features that a model knows, and the softness; see `qsdask.stages.predict`.

    Parameters
    ----------
    store : StoreInMemory
        With atoms and frames; gets ``softness/<name>``.
    model : Model
        What to apply.
    name : str
        Its name.
    accept : bool
        Give numbers also to elements that the model never saw.

    Returns
    -------
    list of str
        The feature sets.
    """
    shells, sets = ShellSettings(**model.definition["shells"]), model.sets
    asked = [{k: v for k, v in one.items() if k in FeatureSettings.model_fields} for one in model.features.values()]
    defined = joined([add_features(store, FeatureSettings(**one), shells) for one in asked])
    model.check_features(columns_there(store, sets), defined)
    value = feature_rows(store, slice(0, store.n_atom), sets, model.columns)
    names, species = store.names("atoms/species_name"), store["atoms/species"][:]
    standard = standard_in_memory(value, species, names) if model.part.standardises else None
    qs, spread, distance = softness_of_atoms(model, value, species, names, standard=standard, accept=accept)
    store.create(f"softness/{name}", {"atom": store.n_atom})
    store.put(f"softness/{name}", {"qs": qs, "qs_std": spread, "outside": distance})
    return list(sets)


def add_response(store: StoreInMemory, settings: RespondSettings) -> None:
    """Measure D2min of every frame against the first one; see `qsdask.stages.respond`."""
    _refuse_unsaid(settings, store)
    n_step = store["frames/position"].shape[0]
    store.create("response/d2min", {"step": n_step, "atom": store.n_atom})
    steps = list(range(n_step))
    _each(store, partial(respond_of_domain, store, 0, steps=steps, settings=settings.stored(store.length)))


def _each(store: StoreInMemory, task: Callable) -> None:
    """Do a task for every domain, several at once: the kernels let go of the interpreter."""
    if store.n_domain == 1:
        task(domain=0)
        return
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(lambda domain: task(domain=domain), range(store.n_domain)):
            pass
