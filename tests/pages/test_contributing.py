"""The examples of CONTRIBUTING.md run as they stand: in a package of one's own, and inside this one."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
PYTHON, TOML = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("python", "toml"))
PROJECT, GRID = TOML
CODE = "\n\n".join(PYTHON)


def run(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "drd_plugin", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The module and its metadata, as an installer lays them out."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "my_methods.py").write_text(CODE)
    (folder / "mine.toml").write_text(GRID)
    project = tomllib.loads(PROJECT)["project"]
    info = folder / f"my_methods-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in names.items())
        for group, names in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))
    return folder


def test_a_package_of_ones_own_is_compared_in_one_table(package):
    result = run(package, "bench", "mine.toml", "--out", "out", "--workers", "1")
    assert result.returncode == 0, result.stderr
    for method in tomllib.loads(GRID)["methods"]:
        assert f"| {method}" in result.stdout
    assert "Left out" not in result.stdout


def test_the_names_of_a_package_are_listed(package):
    listed = run(package, "list").stdout
    for name, sentence in (
        ("LastLoss", "The cross entropy of each example in the proxy's last epoch; high for hard examples."),
        ("EveryOther", "Every second example from the hardest on, then the others."),
        ("LargestLoss", "The examples with the largest last loss; those that were never used come first."),
        ("blobs", "Three clouds of points as images of 8 x 8 pixels."),
        ("two_layers", "One hidden layer of 32 units."),
        ("brightness", "The mean and the standard deviation of the pixels."),
    ):
        assert re.search(rf"^{name} +{re.escape(sentence)}", listed, re.MULTILINE), name


def test_inside_the_package_a_file_and_a_line_are_enough(tmp_path):
    """Each piece goes where the page says; a copy of the package then knows it."""
    inside = tmp_path / "drd_plugin"
    shutil.copytree(ROOT / "drd_plugin", inside, ignore=shutil.ignore_patterns("__pycache__"))
    pieces = dict(zip(PLACES, PYTHON[1:], strict=True))
    for (file, table, before, line), piece in pieces.items():
        (inside / file).write_text(f"{imports_inside(piece)}\n\n{piece}")
        text = (inside / table).read_text()
        assert before in text, table
        module = file.removesuffix(".py").replace("/", ".")
        text = text.replace(before, f"{before}{line}", 1)
        (inside / table).write_text(f"{text}" if not IMPORTED[file] else insert_import(text, module, IMPORTED[file]))
    (tmp_path / "mine.toml").write_text(GRID)
    result = run(tmp_path, "bench", "mine.toml", "--out", "out", "--workers", "1")
    assert result.returncode == 0, result.stderr
    assert "| LastLoss+EveryOther" in result.stdout
    assert "| LargestLoss" in result.stdout


IMPORTED = {
    "scores/last_loss.py": "LastLoss",
    "strategies/every_other.py": "EveryOther",
    "dynamic/largest_loss.py": "LargestLoss",
    "data/blobs.py": "blobs",
    "training/two_layers.py": "",
    "factors/brightness.py": "",
}
PLACES = (
    ("scores/last_loss.py", "scores/__init__.py", "{c.__name__: c for c in (", "LastLoss, "),
    ("strategies/every_other.py", "strategies/__init__.py", "{c.__name__: c for c in (", "EveryOther, "),
    ("dynamic/largest_loss.py", "dynamic/names.py", "for kind in (", "LargestLoss, "),
    ("data/blobs.py", "data/catalog.py", '        "digits": digits,\n', '        "blobs": blobs,\n'),
    ("training/two_layers.py", "training/names.py", "ABOUT = {\n", '    "two_layers:two_layers": "Two layers.",\n'),
    (
        "factors/brightness.py",
        "factors/sources.py",
        '    "drd_plugin.features",\n    {\n',
        '        "brightness": Deferred("drd_plugin.factors.brightness:Brightness", "Two numbers."),\n',
    ),
)


MODULES = {
    "drd_plugin.data": "..data.split",
    "drd_plugin.dynamic": ".base",
    "drd_plugin.scores": ".base",
    "drd_plugin.strategies": ".base",
    "drd_plugin.strategies.base": ".base",
    "drd_plugin.training": ".net",
}
"""Where the names lie that a module inside the package imports from the modules beside it."""


def imports_inside(piece):
    """The imports that a piece needs, from the modules themselves instead of the rooms."""
    lines = [line for line in PYTHON[0].splitlines() if line]
    needed = [line for line in lines if any(re.search(rf"\b{name}\b", piece) for name in imported_names(line))]
    pattern = re.compile(r"^from (drd_plugin\S+)")
    return "\n".join(pattern.sub(lambda match: f"from {MODULES[match[1]]}", line) for line in needed)


def imported_names(line):
    """The names that an import binds."""
    return [name.split(" as ")[-1].strip() for name in line.split("import ")[1].split(",")]


def insert_import(text, module, name):
    """The text with the import of a piece after its last import from this package."""
    place = [match.end() for match in re.finditer(r"^from \..*?(?:\)|\w)\n", text, re.MULTILINE)][-1]
    return f"{text[:place]}from drd_plugin.{module} import {name}\n{text[place:]}"
