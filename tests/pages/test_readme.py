"""Every command and every Python example of the README runs as printed, in one folder, in the README's order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

STANDIN = Path(__file__).parents[1] / "support" / "standin"
README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = [
    (language, block)
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    if "make " not in block and ".venv/bin/pip" not in block
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a checkout of DeepCore, or what stands in for it."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "DeepCore").symlink_to(os.environ.get("DEEPCORE_PATH", STANDIN))
    return folder


@pytest.mark.parametrize(("language", "block"), BLOCKS, ids=[block.split("\n")[0][:40] for _, block in BLOCKS])
def test_the_readme_runs_as_printed(folder, language, block):
    block = "\n".join(line for line in block.splitlines() if not line.startswith(("git clone", "pip install")))
    command = ["bash", "-ec", block] if language == "sh" else [sys.executable, "-c", block]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
