"""What the command line prints of its own: feature sets, settings of recipes, tables that keep names whole."""

from __future__ import annotations

import tomllib

import pytest
import xarray as xr
from rich.console import Console

from qsdask.cli import main, tables
from qsdask.quantity import feature_sets, medium_range
from qsdask.settings import Recipe, Settings, SimulateRecipe, as_toml
from qsdask.settings.base import sections


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
            assert f"\n{name} =" in shown or f"\n# {name} =" in shown
            assert field.description in shown


def _defaults(kind: type[Settings], found: dict) -> None:
    """What is printed as a value is the default."""
    for name, value in found.items():
        if name in sections(kind):
            _defaults(sections(kind)[name], value)
        else:
            default = kind.model_fields[name].default
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
    tables.print_activation(found)
    shown = capsys.readouterr().out
    assert shown.count("activated ") == 2
    assert shown.count("plastic ") == 2


def test_the_estimate_says_what_is_counted(capsys):
    row = {"specimen": "a", "atoms": 500, "steps": 10, "steps_per_second": 2.0, "core_hours": 0.1, "status": ""}
    tables.print_estimate({"rows": [row], "core_hours": 0.1, "at_once": 1, "hours": 0.1})
    assert "not counted: start of LAMMPS" in capsys.readouterr().out
