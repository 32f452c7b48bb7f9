"""Fuzzed score files, subset files and grids: each is read, or refused by an error of our own."""

import json
import traceback
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import drd_plugin
from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.bench import find_experiment
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import from_arrays
from drd_plugin.exchange import import_scores

SPLIT = from_arrays("three", np.zeros((3, 1, 2, 2)), [0, 1, 0])
SIGNS = st.text(alphabet="0123456789.,;\t\"'\n\r-+eEinxs{}[]:\ufeff\0\u00e9", max_size=120).map(str.encode)
CELLS = st.sampled_from(["0", "1", "2", "index", "score", "label", "", "0,5", "x", '"', "nan", "1e400", "0.png"])
TABLES = st.lists(st.lists(CELLS, max_size=4), max_size=5).map(lambda table: "\n".join(map(",".join, table)).encode())


def own(error):
    """Whether the library refused, rather than something below it failed."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    package = Path(drd_plugin.__file__).parent
    return isinstance(error, ValueError) and Path(last.filename).is_relative_to(package) and "raise" in last.line


@given(
    st.sampled_from([".csv", ".json", ".npy", ".npz", ".tsv", ".pt", ".pkl"]),
    st.one_of(st.binary(max_size=80), SIGNS, TABLES, TABLES.map(lambda text: text.decode().encode("utf-16"))),
)
def test_a_score_file_is_scores_or_refused(ending, content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"s{ending}"
        path.write_bytes(content)
        with suppress(ArtifactError, UnknownName):
            scores = import_scores(path, SPLIT, name="Mine", higher_is_harder=True)
            assert np.isfinite(scores.values).all()
            assert len(scores) == 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SUBSET = {"indices": [0, 2], "n": 3, "method": "Mine", "fingerprint": "made:up", "weights": None, "chosen": {},
          "provenance": {}}  # fmt: skip


@given(st.dictionaries(st.sampled_from([*SUBSET, "more"]), VALUES, max_size=3), st.integers(0, 200), st.booleans())
def test_a_subset_file_is_a_subset_or_refused(changes, length, cut):
    text = json.dumps({**SUBSET, **changes})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.json"
        path.write_text(text[:length] if cut else text)
        with suppress(ArtifactError):
            subset = Subset.load(path)
            assert len(np.unique(subset.indices)) == len(subset) > 0
            assert 0 <= subset.indices.min() <= subset.indices.max() < subset.n


GRID = {"methods": ["Random"], "fractions": [0.5], "seeds": [0], "nets": [], "dataset": {"name": "digits"},
        "recipe": {"steps": 3}, "proxy": {"epochs": 10}, "pin": {}, "scores": {}, "study": {}}  # fmt: skip
INNER = ("name", "root", "size", "examples", "net", "lr", "steps", "epochs", "DRD", "noise", "draws", "axis", "x")


def toml(value):
    """The value as TOML writes it, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return '""' if value is None else json.dumps(value)


@given(
    st.dictionaries(st.sampled_from([*GRID, "more"]), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["dataset", "recipe", "proxy", "pin", "scores", "study"]),
                    st.dictionaries(st.sampled_from(INNER), VALUES, max_size=2), max_size=2),
    st.integers(0, 400),
    st.booleans(),
)  # fmt: skip
def test_a_grid_is_a_grid_or_refused(changes, inner, length, cut):
    content = {**GRID, **changes}
    for table, values in inner.items():
        if isinstance(content[table], dict):
            content[table] = {**content[table], **values}
    text = "\n".join(f"{key} = {toml(value)}" for key, value in content.items())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "g.toml"
        path.write_text(text[:length] if cut else text, "utf-8", "surrogatepass")
        try:
            find_experiment(path)
        except Exception as error:
            if not own(error):
                raise
