"""Five small glasses: two kinds of Cu-Zr with two replicas each, and one of Fe-P."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.several_glasses import glass_of


@pytest.fixture(scope="session")
def glasses_of_kinds(tmp_path_factory, golden, few) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("kinds")
    made = {name: glass_of(golden, home, name, 48 * k, few) for k, name in enumerate(("a1", "b1", "a2", "b2"))}
    made["fe"] = glass_of(golden, home, "fe", 200, few, species="Fe,P")
    table = "store,composition,rate\na1,A,1e13\na2,A,1e13\nb1,B,2e13\nb2,B,2e13\nfe,F,1e13\n"
    made["table"] = home / "conditions.csv"
    made["table"].write_text(table)
    return made
