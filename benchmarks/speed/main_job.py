"""What the main job costs: wall seconds, peak memory, and the seconds of each stage.

    pip install psutil
    python benchmarks/speed/main_job.py [--experiment main] [--size digits]

Runs `drd-plugin bench EXPERIMENT --size SIZE` in a process of its own, into a temporary folder, and reads the seconds
from its artefacts. The memory is that of all its processes together, what they share counted once, read four
times a second (Linux alone says it).
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import tyro

from drd_plugin.artifacts import Scores
from drd_plugin.bench import RunStore
from drd_plugin.core.provenance import processor, versions


def main(experiment: str = "main", size: str = "digits", seeds: tuple[int, ...] = ()) -> None:
    """Measures and prints.

    Arguments:
        experiment: The experiment's name.
        size: Its size.
        seeds: Seeds instead of the experiment's.
    """
    fewer = ["--seeds", *map(str, seeds)] if seeds else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "drd_plugin", "bench", experiment, "--size", size, "--out", folder, *fewer]
        start, peak = time.perf_counter(), 0.0
        with subprocess.Popen(command) as job:
            while job.poll() is None:
                peak = max(peak, _gib(job.pid))
                time.sleep(0.25)
        if job.returncode:
            raise SystemExit(job.returncode)
        wall = time.perf_counter() - start
        runs = RunStore(Path(folder)).frame()
        scores = {path.name: Scores.load(path) for path in sorted(Path(folder, "scores").iterdir()) if path.is_dir()}
    proxies = {s.provenance["seed"]: s.provenance["seconds"] for s in scores.values() if "recipe" in s.provenance}
    print(f"\n{experiment} on {size}: {len(runs)} runs in {wall:.0f} s, at most {peak:.2f} GiB together")
    print(f"proxies {sum(proxies.values()):.1f} s for {len(proxies)} seeds")
    for name, score in scores.items():
        if score.provenance.get("settings"):
            print(f"{name}: {score.provenance['seconds']:.1f} s, {score.estimates.shape[1]} draws")
    print(f"selections {runs['seconds_select'].sum():.1f} s, trainings {runs['seconds_train'].sum():.1f} s")
    print(f"{processor()}, {json.dumps(versions())}")


def _gib(pid: int) -> float:
    """What a process and its children hold; what they share is counted once."""
    held = 0.0
    try:
        for process in (parent := psutil.Process(pid), *parent.children(recursive=True)):
            held += process.memory_full_info().pss / 2**30
    except psutil.NoSuchProcess:  # ended in between
        pass
    return held


if __name__ == "__main__":
    tyro.cli(main)
