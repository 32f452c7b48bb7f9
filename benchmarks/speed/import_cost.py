"""What one line costs: the seconds that `import drd_plugin` takes in a script that has imported torch and DeepCore.

python benchmarks/speed/import_cost.py PATH/DeepCore [--rounds 9]
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tyro

from drd_plugin.core.provenance import processor, versions

PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
import torch, torchvision
import deepcore.datasets, deepcore.methods, deepcore.nets
start = time.perf_counter()
import drd_plugin
print(time.perf_counter() - start)
assert "DRD+CCS" in vars(deepcore.methods)
"""


def main(checkout: Annotated[Path, tyro.conf.Positional], rounds: int = 9) -> None:
    """Measures and prints.

    Arguments:
        checkout: A checkout of DeepCore.
        rounds: Fresh interpreters, after one that is not counted.
    """
    command = [sys.executable, "-c", PROGRAM, str(checkout)]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(rounds + 1)]
    seconds = sorted(float(run.stdout) for run in runs[1:])
    print(f"import drd_plugin: {statistics.median(seconds):.3f} s (from {seconds[0]:.3f} to {seconds[-1]:.3f})")
    print(f"{processor()}, {json.dumps(versions())}")


if __name__ == "__main__":
    tyro.cli(main)
