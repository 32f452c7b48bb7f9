from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec, module_from_spec

import pytest

from drd_plugin.core import registry
from drd_plugin.core.registry import Deferred, Registry, UnknownName, first_sentence
from drd_plugin.scores import SCORES, Uniform
from drd_plugin.training import NETS


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


@pytest.fixture
def absent(monkeypatch):
    """A registry with an entry, an announced entry and a family of each kind, none of which can be imported."""

    def points(group):
        name = "announced_family" if group.endswith(".families") else "Announced"
        return EntryPoints([EntryPoint(name, "no_such_package:thing", group)])

    monkeypatch.setattr(registry, "announced", points)

    def family(name):
        raise ModuleNotFoundError(name)

    builtin = {"Deferred": Deferred("no_such_package:thing", "What it does.")}
    return Registry("thing", "drd_plugin.things", builtin, {"family": family})


@pytest.mark.parametrize("name", ["Deferred", "Announced", "family:member", "announced_family:member"])
def test_a_name_is_checked_without_an_import(absent, name):
    absent.check(name)
    with pytest.raises(ModuleNotFoundError):
        absent[name]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Defered", "'Deferred'"), ("Anounced", "'Announced'"), ("famly:member", "none is near"), ("family", "none is")],
)
def test_an_unknown_name_is_refused_without_an_import(absent, name, nearest):
    with pytest.raises(UnknownName, match=f"unknown thing '{name}': .*{nearest}.* Known: Announced, Deferred"):
        absent.check(name)


def test_the_text_about_a_net_is_the_first_sentence_of_its_docstring():
    """In a copy of the module, whose entries nobody has loaded."""
    spec = find_spec("drd_plugin.training.names")
    unloaded = module_from_spec(spec)
    spec.loader.exec_module(unloaded)
    about = {name: unloaded.NETS.about(name) for name in unloaded.NETS}
    assert about == {name: first_sentence(NETS[name]) for name in NETS}
    assert all(text.endswith(".") for text in about.values())
