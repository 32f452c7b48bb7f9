"""DeepCore's main.py with one more line, for this library's methods: exit status, subset size and class balance.

python benchmarks/inside_main.py PATH/DeepCore --denoiser DIR [--root DIR] [--methods DRD AUM ...]

A copy of the checkout gets `import drd_plugin` as main.py's first line and runs on Fashion-MNIST with a LeNet. The
denoiser is one that `drd-plugin fit --dataset fashion_mnist` made; DRD's and ELBO's settings are cheap ones, since the
contract is measured here and not the accuracy.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tabulate import tabulate

from drd_plugin.artifacts import Subset
from drd_plugin.data import load
from drd_plugin.data.catalog import DEBIAN_FASHION_MNIST

METHODS = ("DRD", "ELBO", "AUM", "EL2N", "Moderate", "CCS", "BWS", "DRD+CCS", "Forgetting+BWS")
CHEAP = {"DRD": "steps = 10\nB = 10\nnoises = 10\ndraws = 1\n", "ELBO": "steps = 10\ndraws = 1\n"}


def main(
    checkout: Annotated[Path, tyro.conf.Positional],
    denoiser: Path,
    root: Path = DEBIAN_FASHION_MNIST,
    methods: tuple[str, ...] = METHODS,
    fractions: tuple[float, ...] = (0.01, 0.1),
) -> None:
    """Runs, checks and prints; exits with 1 unless all is as it should be.

    Arguments:
        checkout: A checkout of DeepCore.
        denoiser: A denoiser of Fashion-MNIST.
        root: The folder with the idx files, plain or gzipped.
        methods: The selections.
        fractions: The shares that are kept.
    """
    labels, rows = load("fashion_mnist", root).train.labels, []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "DeepCore"
        shutil.copytree(checkout, place, ignore=shutil.ignore_patterns(".git"))
        script = place / "main.py"
        script.write_text("import drd_plugin\n" + script.read_text())
        _unpack(root, place / "data" / "FashionMNIST" / "raw")
        options = place / "options.toml"
        names = {name: next((score for score in CHEAP if name.startswith(score)), None) for name in methods}
        tables = [
            f'["{name}"]\ndenoiser = "{denoiser.resolve()}"\n{CHEAP[score]}' for name, score in names.items() if score
        ]
        options.write_text("\n".join(tables))
        for method in methods:
            for fraction in fractions:
                rows.append(_run(place, method, fraction, labels, options))
                print(rows[-1], flush=True)
    print(tabulate(rows, ["selection", "fraction", "exit", "size", "smallest class", "largest class", "seconds"]))
    sizes = [sum(round(fraction * int(c)) for c in np.bincount(labels)) for _ in methods for fraction in fractions]
    good = all(row[2] == 0 and row[3] == size and row[5] - row[4] <= 1 for row, size in zip(rows, sizes, strict=True))
    sys.exit(0 if good else 1)


def _unpack(root: Path, into: Path) -> None:
    """The idx files as torchvision's FashionMNIST wants them."""
    into.mkdir(parents=True)
    for path in root.glob("*ubyte*"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        (into / path.name.removesuffix(".gz")).write_bytes(content)


def _run(place: Path, method: str, fraction: float, labels: np.ndarray, options: Path) -> tuple:
    arguments = (
        f"--dataset FashionMNIST --model LeNet --selection {method} --fraction {fraction} --num_exp 1 --epochs 2 "
        "--selection_epochs 10 --selection_lr 0.05 --lr 0.05 --workers 2 --seed 1 --save_path results"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "main.py", *arguments.split()],
        cwd=place,
        env=os.environ | {"DRD_PLUGIN_CONFIG": str(options)},
        capture_output=True,
        text=True,
    )
    seconds = round(time.perf_counter() - start)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return method, fraction, done.returncode, 0, 0, 0, seconds
    [path] = (place / "results").glob(f"{method}_{fraction:g}_seed1_*.subset.json")
    counts = np.bincount(labels[Subset.load(path).indices], minlength=10)
    return method, fraction, 0, int(counts.sum()), int(counts.min()), int(counts.max()), seconds


if __name__ == "__main__":
    tyro.cli(main)
