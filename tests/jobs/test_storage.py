"""The table [storage] of a recipe: where stores go, and how buckets are reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qsdask.errors import QSDaskError
from qsdask.jobs.places import places_of
from qsdask.jobs.recipe import load_recipe
from qsdask.jobs.storage import reached, storage_of
from qsdask.settings.storage import StorageSettings

NAMES = (
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_ALLOW_HTTP",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def told() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def test_the_table_is_told_to_clients_and_taken_back():
    table = StorageSettings(endpoint="http://127.0.0.1:9", region="r", allow_http=True)
    with reached(table):
        assert told() == {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "r", "AWS_ALLOW_HTTP": "true"}
    assert told() == {}


def test_the_environment_goes_before_a_recipe_of_somebody_else(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://mine")
    with reached(StorageSettings(endpoint="https://theirs")):
        assert os.environ["AWS_ENDPOINT_URL"] == "https://mine"


def test_credentials_are_named_never_written(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the other account")
    with pytest.raises(QSDaskError, match="LAB_ACCESS_KEY_ID"), reached(StorageSettings(credentials="LAB")):
        pass
    monkeypatch.setenv("LAB_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("LAB_SECRET_ACCESS_KEY", "secret")
    with reached(StorageSettings(credentials="LAB")):
        assert told() == {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert told() == {"AWS_SESSION_TOKEN": "of the other account"}


@pytest.mark.parametrize(
    "change", ["storage.stores=/etc", "storage.stores=file:///etc", "storage.credentials=a b", "storage.secret=x"]
)
def test_no_other_place_and_no_secret_in_the_table(change):
    with pytest.raises(QSDaskError):
        load_recipe("shipped:quickstart", [change])


def test_stores_go_into_the_bucket_and_nothing_else():
    changes = ["storage.stores=s3://lab/study"]
    plan, _ = load_recipe("shipped:quickstart_bucket", changes)
    places = places_of(plan, Path("home"))
    assert {name: str(path) for name, path in places.stores.items()} == {
        "cu65_a": "s3://lab/study/cu65_a.zarr",
        "cu65_b": "s3://lab/study/cu65_b.zarr",
    }
    assert str(places.model) == "home/cu65.qs"
    assert storage_of("shipped:quickstart_bucket", changes).stores == "s3://lab/study"
