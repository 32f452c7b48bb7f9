"""Every key of a grid's file with every kind of value that TOML has: what does not fit is refused by the key's name."""

import json
import subprocess
import sys
import traceback
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import drd_plugin
from drd_plugin.bench import Grid, GridError, find_experiment
from drd_plugin.bench.catalog import experiment_file
from drd_plugin.core.seeds import Seeds

PACKAGE = Path(drd_plugin.__file__).parent

VALUES = {
    "text": '"x"', "empty text": '""', "number": "0.5", "zero": "0", "count": "3", "negative": "-1",
    "large": str(2**64), "nan": "nan", "inf": "inf", "boolean": "true", "date": "2026-01-02", "time": "07:32:00",
    "list": "[0.5]",
    "list of counts": "[3]", "list of texts": '["Random"]', "list of booleans": "[true]", "list of lists": "[[3]]",
    "list of nan": "[nan]", "list of tables": "[{a = 1}]", "mixed list": '[1, "x"]', "empty list": "[]",
    "list of empty texts": '[""]', "list of dates": "[2026-01-02]", "table": "{a = 1}", "empty table": "{}",
    "table of tables": "{a = {b = 1}}", "table of lists": "{a = [1]}",
}  # fmt: skip

TEXTS, COUNTS = {"text", "empty text"}, {"count", "large"}
FITTING = {
    "methods": {"list of texts"},
    "fractions": {"list"},
    "seeds": {"list of counts"},
    "nets": {"empty list"},
    "dataset": set(),
    "recipe": {"empty table"},
    "proxy": {"empty table"},
    "pin": {"empty table"},
    "scores": {"empty table"},
    "study": {"empty table"},
    "published": {"empty text"},
    "about": TEXTS,
    "hours": {"number", "zero", "count", "large"},
    "on": TEXTS,
    "sizes": set(),
    "dataset.name": TEXTS,
    "dataset.root": TEXTS,
    "dataset.size": COUNTS,
    "dataset.examples": COUNTS,
    "dataset.label": TEXTS,
    "dataset.image": TEXTS,
    "dataset.split": TEXTS,
    "dataset.mode": TEXTS,
    "dataset.background": TEXTS,
    "dataset.wrong_labels": {"number", "zero"},
    "dataset.corrupted": {"number", "zero"},
    "recipe.net": set(),
    "recipe.optimizer": set(),
    "recipe.steps": {"count"},
    "recipe.epochs": {"count"},
    "recipe.batch_size": {"count"},
    "recipe.lr": {"number", "count", "large"},
    "recipe.weight_decay": {"number", "zero", "count", "large"},
    "recipe.nesterov": {"boolean"},
    "recipe.warmup": {"number", "zero"},
    "proxy.net": set(),
    "proxy.epochs": {"count"},
    "proxy.lr": {"number", "count", "large"},
    "proxy.augment": set(),
    **{f"pin.{f.name}": {"zero", "count"} for f in fields(Seeds)},
    "scores.DRD": {"empty table"},
    "scores.DRD.draws": COUNTS,
    "scores.DRD.gamma_min": {"number", "zero"},
    "scores.DRD.solver": set(),
    "scores.DRD.antithetic": {"boolean"},
    "scores.DRD.denoiser": TEXTS,
    "scores.ELBO.draws": COUNTS,
    "study.name": set(),
    "study.baselines": {"list of texts"},
    "study.costs": {"boolean"},
}
"""The values that a key may have; all others are refused."""

BASE = {
    "methods": '["Random"]', "fractions": "[0.5]", "seeds": "[0]", "dataset": {"name": '"digits"'},
    "recipe": {"net": '"lenet"'}, "proxy": {"epochs": "10"},
}  # fmt: skip


def toml_of(content, head=""):
    """A file of TOML with these values; tables come last."""
    lines = [f"{key} = {value}" for key, value in content.items() if isinstance(value, str)]
    for key, table in content.items():
        if isinstance(table, dict):
            lines += [f"[{head}{key}]", toml_of(table, f"{head}{key}.")]
    return "\n".join(lines)


def changed(key, value):
    """A grid with the value of one key, `table.key`, another one."""
    *above, last = key.split(".")
    content = {name: dict(table) if isinstance(table, dict) else table for name, table in BASE.items()}
    place = content
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    if last == "steps":
        place["net"] = '"lenet"'
    return toml_of(content)


def cases():
    for key, fitting in FITTING.items():
        for kind in VALUES:
            yield pytest.param(key, VALUES[kind], kind in fitting, id=f"{key}-{kind}")


def own(error):
    """Whether the library refused, rather than something below it failed."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return isinstance(error, ValueError) and Path(last.filename).is_relative_to(PACKAGE) and "raise" in last.line


@pytest.mark.parametrize(("key", "value", "fits"), cases())
def test_a_value_of_the_wrong_kind_is_refused_by_its_key(tmp_path, key, value, fits):
    path = tmp_path / "g.toml"
    path.write_text(changed(key, value))
    if fits:
        find_experiment(path)
        return
    name = key.split(".")[-1]
    with pytest.raises(ValueError, match=rf"{name.rstrip('s')}|unknown .*'a'|unknown study") as refused:
        find_experiment(path)
    assert own(refused.value)


@pytest.mark.parametrize(
    "key", ["methods", "seeds", "dataset", "recipe", "published", "hours", "on", "study", "proxy.lr"]
)
@pytest.mark.parametrize("value", ["3.5", "true", '[[""]]', "2026-01-02"])
def test_so_are_those_of_a_size(tmp_path, key, value):
    if (key, value) == ("hours", "3.5") or (key, value) == ("proxy.lr", "3.5"):
        return
    path = tmp_path / "g.toml"
    path.write_text(f"{toml_of(BASE)}\n[sizes.digits]\n{key} = {value}")
    with pytest.raises(GridError, match=key.split(".")[-1]) as refused:
        find_experiment(path)
    assert own(refused.value)


@pytest.mark.parametrize(
    ("study", "settings"),
    [
        ("comparison", {"baselines": ["3", '"Random"', "[]", "[1]", "true"], "costs": ["1", '"x"', "[]"]}),
        ("mixed", {"axis": ["3", "[]", '"hours"'], "budgets": ["0.5", '"x"', "[]", '["x"]', "[0]", "[nan]", "[inf]"]}),
        ("mixed", {"slope": ['"x"', "nan", "true", "[0.1]"], "full_last": ['"x"', "inf"]}),
        (
            "noise",
            {"shares": ["0.1", "[]", '["x"]', "[true]", "[nan]", "[2]"], "kinds": ["3", "[]", '"corrupted"', "[1]"]},
        ),
        (
            "separation",
            {"strata": ["1", "2.5", '"x"', "true", "[3]"], "most": ["0", "nan"], "shown": ["-1", "1979-05-27"]},
        ),
        ("stability", {"proxies": ["3", '"lenet"', "[3]", '["lenett"]'], "noise_seeds": ["0", "-1", "1.5", '"x"']}),
        ("cross_evaluation", {"parts": ["1", "2.5", '"x"'], "rankings": ["3", '"global"', "[]", "[3]", '["x"]']}),
    ],
)
def test_so_are_the_settings_of_studies(tmp_path, study, settings):
    path = tmp_path / "g.toml"
    for key, values in settings.items():
        for value in values:
            path.write_text(f'{toml_of(BASE)}\n[study]\nname = "{study}"\n{key} = {value}')
            words = {"proxies": "net|proxies", "rankings": "ranking", "kinds": "kind", "shares": "share"}
            with pytest.raises(ValueError, match=words.get(key, key)) as refused:
                find_experiment(path)
            assert own(refused.value), (key, value)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("sizes = 3", "sizes is 3"),
        ("[sizes]", "at least one size"),
        ("[sizes]\ndigits = 3", "sizes is"),
        ('published = "tabel1"', "unknown published numbers"),
        ("methods = " + 6000 * "[", "cannot be read"),
        ("seeds = [" + 5000 * "9" + "]", "cannot be read"),
    ],
)
def test_files_as_no_reader_expects_them(tmp_path, file, words):
    path = tmp_path / "g.toml"
    path.write_text(file)
    with pytest.raises(ValueError, match=words) as refused:
        experiment_file(path)
    assert own(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_grid_is_read_with_any_mark_of_its_encoding(tmp_path, encoding, newline):
    path = tmp_path / "g.toml"
    text = 'about = "Über Wörter"\n' + toml_of(BASE)
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    experiment = find_experiment(path)
    assert (experiment.about, experiment.grid.seeds) == ("Über Wörter", (0,))


def test_a_grid_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "g.toml"
    path.write_bytes(('about = "Über"\n' + toml_of(BASE)).encode("latin-1"))
    with pytest.raises(GridError, match=r"g\.toml cannot be read as a grid"):
        find_experiment(path)


def test_numbers_of_numpy_are_taken_as_pythons():
    values = Grid("x", ["Random"], np.array([0.5, 0.25]), np.arange(2), {"name": "digits"}, pin={"noise": np.int8(3)})
    plain = Grid("x", ("Random",), (0.5, 0.25), (0, 1), {"name": "digits"}, pin={"noise": 3})
    assert values == plain
    assert json.dumps(values.identity) == json.dumps(plain.identity)


@pytest.mark.parametrize(
    "changes",
    [{"seeds": (0.5,)}, {"seeds": (True,)}, {"fractions": ("0.5",)}, {"methods": "Random"}, {"methods": (3,)}],
)
def test_changes_to_an_experiment_are_checked_alike(changes):
    with pytest.raises(GridError, match=next(iter(changes))):
        find_experiment("main", "digits").changed(**changes)


LIGHT = """
import json, sys
from drd_plugin.cli import main
answers = []
for path in sys.argv[1:]:
    try:
        main(["bench", path, "--out", "out"])
    except SystemExit as stopped:
        answers.append(str(stopped.code))
print(json.dumps([answers, sorted({"torch", "pandas", "scipy", "sklearn", "matplotlib"} & set(sys.modules))]))
"""


def test_the_command_line_refuses_them_before_anything_heavy_is_imported(tmp_path):
    wrong = {"methods": "[3]", "seeds": "[true]", "dataset.examples": '"60"', "pin.noise": "-1", "study": '"x"'}
    paths = []
    for i, (key, value) in enumerate(wrong.items()):
        paths.append(tmp_path / f"{i}.toml")
        paths[-1].write_text(changed(key, value))
    done = subprocess.run([sys.executable, "-c", LIGHT, *map(str, paths)], capture_output=True, text=True, cwd=tmp_path)
    answers, heavy = json.loads(done.stdout)
    assert heavy == []
    assert all(answer.startswith("drd-plugin: ") for answer in answers), answers
    assert all(key.split(".")[-1] in answer for key, answer in zip(wrong, answers, strict=True)), answers
    assert not (tmp_path / "out").exists()
