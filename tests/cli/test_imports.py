"""What the command line answers before anything heavy is imported, in a fresh process."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, io, json, sys
heavy = {"torch", "pandas", "scipy", "sklearn", "diffusers", "matplotlib", "datasets"}
from drd_plugin.cli import main
report = [["", sorted(heavy & set(sys.modules))]]
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.redirect_stderr(text):
        try:
            main(arguments)
        except SystemExit as stopped:
            print(stopped.code)
    earlier = {name for _, names in report for name in names}
    report.append([text.getvalue(), sorted(heavy & set(sys.modules) - earlier)])
print(json.dumps(report))
"""

HELP = [
    "", "list", "bench", "check", "score", "score DRD", "score AUM", "record", "merge", "verify", "select", "train",
    "timestep", "fit", "factors", "show", "report", "import-scores", "export-subset", "deepcore", "deepcore-export",
    "deepcore-import", "doctor",
]  # fmt: skip

WRONG_NAMES = {
    "bench mane": "unknown experiment 'mane': did you mean 'main'",
    "bench main --methods DDR --out x": "unknown method 'DDR': did you mean 'DRD'",
    "bench dynamic --methods InfoBach --out x": "unknown method 'InfoBach': did you mean 'InfoBatch'",
    "bench main --methods DRD+BSW --out x": "unknown strategy 'BSW': did you mean 'BWS'",
    "bench main --methods Forgeting+BWS --out x": "unknown score 'Forgeting': did you mean 'Forgetting'",
    "bench main --methods DRD[distance=mes] --out x": "unknown DRD.distance 'mes': did you mean 'mse'",
    "bench dynamic --methods FactorCurriculum[features=prxy] --out x": "unknown feature space 'prxy'",
    "bench dynamic --methods FactorCurriculum[rarity=AMU] --out x": "unknown score 'AMU': did you mean 'AUM'",
    "bench misspelt.toml --out x": "unknown study 'comparisn': did you mean 'comparison'",
    "score AMU --dataset digits --out x": "unknown score 'AMU': did you mean 'AUM'",
    "record --dataset digits --scores AUM AMU --out x": "unknown score 'AMU': did you mean 'AUM'",
    "select --scores x --strategy BSW --fraction 0.1 --out y": "unknown strategy 'BSW': did you mean 'BWS'",
    "select --scores x --strategy CCS[cutoff_score=AMU] --fraction 0.1 --out y": "unknown score 'AMU'",
    "check --dataset digitz": "unknown data set 'digitz': did you mean 'digits'",
    "score AUM --dataset digitz --out x": "unknown data set 'digitz': did you mean 'digits'",
    "score DRD --dataset digitz --out x": "unknown data set 'digitz': did you mean 'digits'",
    "score DRD --dataset digitz --out x --dry-run": "unknown data set 'digitz': did you mean 'digits'",
    "record --dataset digitz --out x": "unknown data set 'digitz': did you mean 'digits'",
    "verify x --dataset digitz": "unknown data set 'digitz': did you mean 'digits'",
    "train --dataset digitz": "unknown data set 'digitz': did you mean 'digits'",
    "timestep --dataset digitz": "unknown data set 'digitz': did you mean 'digits'",
    "fit --dataset digitz --out x": "unknown data set 'digitz': did you mean 'digits'",
    "factors --dataset digitz --out x": "unknown data set 'digitz': did you mean 'digits'",
    "import-scores x --dataset digitz --name AUM --out y": "unknown data set 'digitz': did you mean 'digits'",
    "score AUM --dataset digits --net lenett --out x": "unknown net 'lenett': did you mean 'lenet'",
    "record --dataset digits --net lenett --out x": "unknown net 'lenett': did you mean 'lenet'",
    "select --scores x --strategy CCS --fraction 0.1 --out y --net lenett": "unknown net 'lenett'",
    "train --dataset digits --net lenett": "unknown net 'lenett': did you mean 'lenet'",
    "factors --dataset digits --features proxi --out x": "unknown feature space 'proxi': did you mean 'proxy'",
    "factors --dataset digits --proxy.net lenett --out x": "unknown net 'lenett': did you mean 'lenet'",
}

MISSPELT = """
methods = ["Random"]
fractions = [0.5]
seeds = [0]
[dataset]
name = "digits"
[proxy]
epochs = 10
[study]
name = "comparisn"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a grid alone."""
    folder = tmp_path_factory.mktemp("almost_empty")
    (folder / "misspelt.toml").write_text(MISSPELT)
    return folder


@pytest.fixture(scope="module")
def answers(folder):
    """By command line, what it prints and which heavy packages it is the first to import; all in one process, and under
    an empty name what the import of the command line alone brings.
    """
    commands = [*(f"{command} --help".strip() for command in HELP), "list", "bench --list", "--version", *WRONG_NAMES]
    arguments = json.dumps([command.split() for command in commands])
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, arguments], capture_output=True, text=True, check=True, cwd=folder
    )
    return dict(zip(["", *commands], json.loads(finished.stdout), strict=True))


def test_the_command_line_is_imported_without_anything_heavy(answers):
    assert answers[""] == ["", []]


@pytest.mark.parametrize("command", HELP)
def test_help_is_given_without_anything_heavy(answers, command):
    text, heavy = answers[f"{command} --help".strip()]
    assert f"usage: drd-plugin {command}".strip() in text
    assert heavy == []


@pytest.mark.parametrize("command", ["list", "bench --list", "--version"])
def test_what_there_is_is_listed_without_anything_heavy(answers, command):
    text, heavy = answers[command]
    assert text
    assert heavy == []


@pytest.mark.parametrize("command", WRONG_NAMES)
def test_wrong_names_are_refused_without_anything_heavy(answers, folder, command):
    text, heavy = answers[command]
    assert f"drd-plugin: {WRONG_NAMES[command]}" in text
    assert heavy == []
    assert [path.name for path in folder.iterdir()] == ["misspelt.toml"], (
        "nothing is written by a command that could not start"
    )
