"""One process at a time writes to a place, or those that write the same; a killed one is in nobody's way."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from drd_plugin.artifacts import ArtifactError, claim, claims

PROGRAM = """
import sys, time
from drd_plugin.artifacts import ArtifactError, claim
try:
    with claim(sys.argv[1], sys.argv[2]):
        print("mine", flush=True)
        time.sleep(float(sys.argv[3]))
except ArtifactError as error:
    print(error, flush=True)
"""


@pytest.fixture
def start():
    """Starts processes that claim a path, and gives each with the first line that it prints."""
    with ExitStack() as running:

        def begin(path, identity, seconds=30.0, wait=True):
            command = [sys.executable, "-c", PROGRAM, str(path), identity, str(seconds)]
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            running.callback(process.kill)
            return process, process.stdout.readline().strip() if wait else ""

        yield begin


@pytest.mark.parametrize(
    ("one", "other", "both"), [("a", "a", True), ("a", "b", False), ("", "", False), ("a", "", False), ("", "a", False)]
)
def test_processes_share_a_claim_only_for_the_same(start, tmp_path, one, other, both):
    path = tmp_path / "out" / "plan.json"
    process, answer = start(path, one)
    assert answer == "mine"
    if both:
        with claim(path, other):
            pass
        return
    words = rf"another process \({process.pid} on .*\) is writing .*plan\.json"
    with pytest.raises(ArtifactError, match=words), claim(path, other):
        pytest.fail("two processes write to one place")


def test_a_killed_process_is_in_nobodys_way(start, tmp_path):
    path = tmp_path / "out"
    process, _ = start(path, "a")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / ".out.lock").exists()
    with claim(path, "b"):
        pass
    assert not list(tmp_path.iterdir())


def test_of_many_that_begin_at_once_one_kind_goes_on(start, tmp_path):
    processes = [start(tmp_path / "out", "ab"[i % 2], 1.5 + claims.PATIENCE, wait=False)[0] for i in range(6)]
    answers = [process.stdout.readline().strip() for process in processes]
    kinds = {"ab"[i % 2] for i, answer in enumerate(answers) if answer == "mine"}
    assert len(kinds) == 1, answers
    assert answers.count("mine") == 3
    for process in processes:
        process.wait()
    with claim(tmp_path / "out", "c"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_claim_leaves_nothing_and_can_be_nested_by_the_same(tmp_path):
    with claim(tmp_path / "in" / "out", "a"), claim(tmp_path / "in" / "out", "a"):
        assert [path.name for path in (tmp_path / "in").iterdir()] == [".out.lock"]
    assert not list((tmp_path / "in").iterdir())
    with pytest.raises(KeyError), claim(tmp_path / "out"):
        raise KeyError
    with claim(tmp_path / "out"):
        pass


def test_a_process_that_is_just_ending_is_waited_for(start, tmp_path):
    start(tmp_path / "out", "a", claims.PATIENCE / 3)
    with claim(tmp_path / "out", "b"):
        pass


@pytest.mark.parametrize("note", ["", "{", "[]", '{"identity": "b"}'])
def test_a_lock_that_nobody_holds_does_not_matter_whatever_it_says(tmp_path, note):
    (tmp_path / ".out.lock").write_text(note)
    with claim(tmp_path / "out", "a"):
        assert json.loads((tmp_path / ".out.lock").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("place", ["file/x", "/proc/x/y"])
def test_a_place_that_cannot_be_written_cannot_be_claimed(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="cannot be written"), claim(tmp_path / place):
        pytest.fail("it cannot be written")


def test_where_there_are_no_locks_nothing_is_claimed(tmp_path, monkeypatch):
    def without(*_):
        raise OSError(claims.NO_LOCKS[0], "no locks")

    monkeypatch.setattr(fcntl, "flock", without)
    start = time.monotonic()
    with claim(tmp_path / "out", "a"), claim(tmp_path / "out", "b"), claim(tmp_path / "out"):
        pass
    assert time.monotonic() - start < claims.PATIENCE
    monkeypatch.setattr(claims, "fcntl", None)
    with claim(tmp_path / "out", "a"), claim(tmp_path / "out", "b"):
        pass
    assert not list(tmp_path.iterdir())


FORKING = """
import os, signal, sys, time
from drd_plugin.artifacts import claim
with claim(sys.argv[1]):
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    print(child, flush=True)
    time.sleep(30)
"""


def test_a_child_that_outlives_a_killed_process_holds_nothing(tmp_path):
    command = [sys.executable, "-c", FORKING, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            time.sleep(0.2)
            process.kill()
            process.wait()
            with claim(tmp_path / "out"):
                os.kill(child, 0)  # raises if it has ended
        finally:
            os.kill(child, signal.SIGKILL)
