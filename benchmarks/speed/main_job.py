"""What the main job costs: wall seconds, peak memory, and the seconds of each stage.

    python benchmarks/speed/main_job.py [--experiment main] [--size digits]

Runs `drd-plugin bench EXPERIMENT --size SIZE` in a process of its own, into a temporary folder, and reads the seconds
from its artefacts. The memory is that of the largest process.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro

from drd_plugin.artifacts import Scores
from drd_plugin.bench.store import RunStore
from drd_plugin.provenance import processor, versions


def main(experiment: str = "main", size: str = "digits", seeds: tuple[int, ...] = ()) -> None:
    """Measures and prints.

    Arguments:
        experiment: The experiment's name.
        size: Its size.
        seeds: Seeds instead of the experiment's.
    """
    fewer = ["--seeds", *map(str, seeds)] if seeds else []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "drd_plugin", "bench", experiment, "--size", size, "--out", folder, *fewer],
            check=True,
        )
        wall = time.perf_counter() - start
        runs = RunStore(Path(folder)).frame()
        scores = {path.name: Scores.load(path) for path in sorted(Path(folder, "scores").iterdir()) if path.is_dir()}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    proxies = {s.provenance["seed"]: s.provenance["seconds"] for s in scores.values() if "recipe" in s.provenance}
    print(f"\n{experiment} on {size}: {len(runs)} runs in {wall:.0f} s, at most {peak:.2f} GiB in a process")
    print(f"proxies {sum(proxies.values()):.1f} s for {len(proxies)} seeds")
    for name, of in scores.items():
        if of.provenance.get("settings"):
            print(f"{name}: {of.provenance['seconds']:.1f} s, {of.estimates.shape[1]} draws")
    print(f"selections {runs['seconds_select'].sum():.1f} s, trainings {runs['seconds_train'].sum():.1f} s")
    print(f"{processor()}, {json.dumps(versions())}")


if __name__ == "__main__":
    tyro.cli(main)
