"""What the tests of scoring share: some digits, parts of few examples, and processes that can be killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from drd_plugin.data import take
from drd_plugin.diffusion import distance
from drd_plugin.training import Checkpoint

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
"""With one thread, since the training of a network rounds by threads."""

SERVER = """
import json, os, resource, sys, traceback
import diffusers, pyarrow.parquet, sklearn.datasets
from diffusers import DDIMScheduler, UNet2DModel
from drd_plugin import load, record, score
from drd_plugin.core.provenance import environment
from drd_plugin.diffusion import load_denoiser
environment("cpu")
for line in sys.stdin:
    program, arguments, output = json.loads(line)
    pid = os.fork()
    if pid == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["program", *arguments]
        try:
            exec(compile(program, "program", "exec"), {"__name__": "__main__"})
        except BaseException:
            resource.setrlimit(resource.RLIMIT_FSIZE, [resource.RLIM_INFINITY] * 2)  # which a program may have lowered
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Imports what is heavy once, and runs each program in a process of its own."""


@dataclass
class Program:
    """A program that runs in a process of its own, one at a time."""

    pid: int
    server: subprocess.Popen
    log: Path

    @property
    def runs(self):
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self):
        """The exit status."""
        return int(self.server.stdout.readline())

    @property
    def output(self):
        return self.log.read_text()


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts a program, with arguments, in a process of its own."""
    log = tmp_path_factory.mktemp("programs") / "output.txt"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, env=ONE_THREAD, **pipes) as server:

        def begin(program, *arguments):
            print(json.dumps([program, list(map(str, arguments)), str(log)]), file=server.stdin, flush=True)
            return Program(int(server.stdout.readline()), server, log)

        yield begin
        server.kill()


SHARED = """
import sys
from dataclasses import replace
from pathlib import Path
from drd_plugin import load, record, score
from drd_plugin.data import Split, take
from drd_plugin.diffusion import distance
from drd_plugin.scores import DRD
from drd_plugin.scoring import maps
from drd_plugin.training import Checkpoint, Recipe
maps.CHUNK, Checkpoint.due = 20, True
distance.CRITIC = replace(distance.CRITIC, steps=20)
out, whole = Path(sys.argv[1]), load("digits").train
searched = DRD(B=1, noises=1, draws=2, gamma_min=5, gamma_max=200, distance="network")
score(take(whole, 150), searched, out=out / "DRD", device="cpu", progress=False)
few = Split("few", whole.images[:151], whole.labels[:151], whole.classes)
folds = ["AUM", "EL2N", "Forgetting", "Moderate", "TDDS[window=3]"]
recipe = Recipe(net="lenet", epochs=4, batch_size=32, lr=0.05)
record(few, folds, proxy=recipe, out=out / "proxy", features=True, device="cpu", progress=False)
"""


@pytest.fixture(scope="session")
def one_and_two(start, tmp_path_factory):
    """Two folders: what one process computes, and what two processes that share the work do."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "program.py").write_text(SHARED)
    shared = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    arguments = [folder / "program.py", folder / "two"]
    finished = subprocess.run([*shared, *arguments], env=ONE_THREAD, capture_output=True, text=True, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    alone = start(SHARED, folder / "one")
    assert alone.wait() == 0, alone.output
    return folder / "one", folder / "two"


@pytest.fixture(scope="session")
def some(digits):
    """150 of the digits, for which the denoiser that was fitted to the digits is found."""
    return take(digits.train, 150)


@pytest.fixture
def small_chunks(monkeypatch):
    """Eight parts of `some`."""
    monkeypatch.setattr("drd_plugin.scoring.maps.CHUNK", 20)


@pytest.fixture
def short_critic(monkeypatch):
    """The network of the distance learns for a moment."""
    monkeypatch.setattr(distance, "CRITIC", replace(distance.CRITIC, steps=20))


@pytest.fixture
def every_epoch(monkeypatch):
    """A training is written down after every epoch."""
    monkeypatch.setattr(Checkpoint, "due", True)
