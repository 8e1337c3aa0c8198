"""What the command line prints of its own: feature sets, settings of recipes, tables that keep names whole."""

from __future__ import annotations

import tomllib

import pytest
import xarray as xr
from rich.console import Console

import qsdask
from qsdask.cli import cli, main, tables
from qsdask.cli.physics_tables import print_course
from qsdask.errors import UsageError
from qsdask.quantity import feature_sets, medium_range
from qsdask.settings import (
    AlloySettings,
    FeatureSettings,
    IngestSettings,
    PropensitySettings,
    ReadingSettings,
    Recipe,
    ReportSettings,
    RespondSettings,
    Settings,
    ShellSettings,
    SimulateRecipe,
    TrainSettings,
    as_toml,
)
from qsdask.settings.base import sections
from qsdask.settings.describe import choices_of, short_name


def test_the_list_of_sets_has_a_row_for_each_and_tells_the_way_to_the_columns(capsys):
    assert main(["features", "--list"]) == 0
    shown = capsys.readouterr().out
    for name, kind in feature_sets().items():
        assert name in shown
        assert f"{kind.cost:.4g}" in shown
    assert "sro__" not in shown
    assert "--set all" in shown


def test_the_list_of_chosen_sets_has_every_column_with_unit_and_meaning(capsys):
    assert main(["features", "--list", "--set", "volume,coordination", "--coarsen", "2"]) == 0
    shown = capsys.readouterr().out
    for name in ("volume", "coordination"):
        quantity = feature_sets()[name](coarsen=2)
        for column in (*quantity.columns, *medium_range(quantity)):
            assert column.name in shown
            assert column.meaning in shown
    assert "interstice" not in shown
    assert main(["features", "--list", "--set", "all"]) == 0
    shown = capsys.readouterr().out
    assert all(c.name in shown for kind in feature_sets().values() for c in kind().columns)


def test_features_without_a_store_is_a_usage_error(capsys):
    assert main(["features"]) == 64
    assert "STORE" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "kind"), [("run", Recipe), ("simulate", SimulateRecipe)])
def test_the_settings_of_a_recipe_are_printed_with_default_and_meaning(command, kind, capsys):
    assert main([command, "--settings"]) == 0
    shown = capsys.readouterr().out
    assert as_toml(kind) in shown
    _told(kind, shown)
    _defaults(kind, tomllib.loads(shown))


def _told(kind: type[Settings], shown: str) -> None:
    """Every key of every table stands there with its meaning."""
    for name, field in kind.model_fields.items():
        if name in sections(kind) and field.default is not None:
            assert f"[{name}]" in shown
            _told(sections(kind)[name], shown)
        else:
            typed = name if name.endswith("_angstrom") else short_name(kind, name)
            assert f"\n{typed} =" in shown or f"\n# {typed} =" in shown
            assert field.description in shown


def _defaults(kind: type[Settings], found: dict) -> None:
    """What is printed as a value is the default."""
    stored = {short_name(kind, name): name for name in kind.model_fields}
    for typed, value in found.items():
        name = stored.get(typed, typed)
        if name in sections(kind):
            _defaults(sections(kind)[name], value)
        else:
            field = kind.model_fields[name]
            default = (
                choices_of(field).get(field.default, field.default) if isinstance(field.default, str) else field.default
            )
            assert value == (list(default) if isinstance(default, tuple) else default)


def test_names_stay_whole_where_nobody_looks_and_on_a_narrow_terminal(capsys, monkeypatch):
    name, text = "features/interstice_histogram", "convention paper, " * 20
    tables.print_table("stages", ("stage", "settings"), [(name, text)])
    assert f"{name} │ {text.strip()}" in capsys.readouterr().out
    monkeypatch.setattr(tables, "Console", lambda: Console(force_terminal=True, width=80))
    tables.print_table("stages", ("stage", "settings"), [(name, text)])
    shown = capsys.readouterr().out
    assert name in shown
    assert "…" not in shown


def test_the_heads_of_activation_stay_whole_on_a_narrow_terminal(capsys, monkeypatch):
    names = ("plastic", "newly", "activated")
    values = {f"n_{name}": ("step", [12345]) for name in names}
    values |= {f"qs_mean_{name}": ("step", [0.123456]) for name in names}
    found = xr.Dataset(values | {"auc": ("step", [0.76543]), "strain": ("step", [0.0123]), "qs_mean_all": 0.5})
    monkeypatch.setattr(tables, "Console", lambda: Console(force_terminal=True, width=80))
    print_course(found)
    shown = capsys.readouterr().out
    heads = shown[: shown.index("12345")]
    assert heads.count("activated ") == 2
    assert heads.count("plastic ") == 2


def test_the_estimate_says_what_is_counted(capsys):
    row = {"specimen": "a", "atoms": 500, "steps": 10, "steps_per_second": 2.0, "core_hours": 0.1, "status": ""}
    tables.print_estimate({"folder": "glasses", "rows": [row], "core_hours": 0.1, "at_once": 1, "hours": 0.1})
    shown = capsys.readouterr().out
    assert "not counted: start of LAMMPS" in shown
    assert "specimens in glasses" in shown


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("ingest", [IngestSettings, ReadingSettings]),
        ("shells", [ShellSettings]),
        ("features", [FeatureSettings]),
        ("respond", [RespondSettings, PropensitySettings]),
        ("train", [TrainSettings]),
        ("report", [ReportSettings]),
    ],
)
def test_every_setting_has_an_option_that_says_what_its_field_says(command, kinds):
    options = {parameter.name: parameter for parameter in cli.commands[command].params}
    for kind in kinds:
        for name, field in kind.model_fields.items():
            option = options[short_name(kind, name)]
            assert option.help.lower().startswith(field.description.lower())
            if choices := choices_of(field):
                assert list(option.type.choices) == list(choices.values())


def test_settings_have_one_short_name_each():
    for kind in (AlloySettings, FeatureSettings, IngestSettings, ReadingSettings, ShellSettings, TrainSettings):
        names = [short_name(kind, name) for name in kind.model_fields]
        assert len(set(names)) == len(names)
    assert ShellSettings(cutoff=3.0) == ShellSettings(cutoff_angstrom=3.0)
    assert ShellSettings(cutoff=3.0).arguments(given_only=True) == {"cutoff": 3.0}
    with pytest.raises(ValueError, match="cutoff"):
        ShellSettings(cutoff=3.0, cutoff_angstrom=3.5)


def test_the_old_name_of_a_setting_is_understood_with_a_warning(tiny, few):
    assert FeatureSettings(facet_weighting="area").stored()["facets"] == "soft"
    assert FeatureSettings(facet_weighting="none").stored() == FeatureSettings().stored()
    with pytest.warns(DeprecationWarning, match="facet_weighting"), pytest.raises(UsageError, match="E-SOFT-FACETS"):
        qsdask.features(tiny / "tiny.zarr", set="bond_order", facets="soft", run=few)


@pytest.mark.parametrize("facets", ["--facets soft", "--facet-weighting area"])
def test_facets_weighted_by_area_are_typed_in_either_way(tiny, facets, capsys):
    assert main(["features", str(tiny / "tiny.zarr"), "--set", "bond_order", *facets.split()]) == 64
    shown = capsys.readouterr().err
    assert "E-SOFT-FACETS" in shown
    assert ("--facets soft is now --facet-weighting area" in shown) == (facets == "--facets soft")
