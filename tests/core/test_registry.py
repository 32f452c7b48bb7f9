from importlib.metadata import EntryPoint, EntryPoints

import pytest

from drd_plugin.core import registry
from drd_plugin.core.registry import Registry, UnknownName
from drd_plugin.scores import SCORES, Uniform


def test_unknown_names_get_the_nearest_known_ones():
    with pytest.raises(UnknownName, match=r"unknown score 'forgeting'.*'Forgetting'"):
        SCORES["forgeting"]


def test_a_name_that_is_near_to_nothing_gets_the_list():
    with pytest.raises(UnknownName, match=r"none is near\. Known: AUM"):
        SCORES["zzzzzz"]


def test_other_packages_add_theirs_through_entry_points(monkeypatch):
    group = "drd_plugin.scores"
    points = EntryPoints([EntryPoint("Theirs", "drd_plugin.scores.uniform:Uniform", group)])
    monkeypatch.setattr(registry, "announced", lambda group: points)
    mine: Registry[type] = Registry("score", group, {"Ours": int})
    assert list(mine) == ["Ours", "Theirs"]
    assert "Theirs" in mine
    assert mine["Theirs"] is Uniform
    assert len(mine) == 2
