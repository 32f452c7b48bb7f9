"""How long a folder of images takes to be listed and identified, and to be decoded against Pillow alone.

    python benchmarks/speed/folders.py            100,000 small files, and 2,000 JPEG files

The first time of a folder is cold only where the machine forgets its files in between: the script asks the system to
(which needs the rights of root), and says whether it did. Decoding is compared with opening, converting and fitting
each file by Pillow, in turns, file by file, on one thread.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageOps

from drd_plugin.data.decoding import Decoding, open_image
from drd_plugin.data.folders import tree


def forget_files() -> bool:
    """Whether the system dropped its cache of files."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def fill(folder: Path, files: int) -> None:
    """Files of random bytes, 3 to 12 kB, in a hundred classes."""
    rng = np.random.default_rng(0)
    content = rng.bytes(2**20)
    for i in range(files):
        place = folder / f"class{i % 100:02d}"
        place.mkdir(parents=True, exist_ok=True)
        start, size = rng.integers(0, 2**19), rng.integers(3_000, 12_000)
        (place / f"{i}.jpg").write_bytes(content[start : start + size])


def photographs(folder: Path, count: int) -> list[Path]:
    """JPEG files of smooth noise, 500 x 375 pixels."""
    rng, paths = np.random.default_rng(0), []
    for i in range(count):
        small = Image.fromarray(rng.integers(0, 256, (47, 63, 3)).astype(np.uint8))
        paths.append(folder / f"{i}.jpg")
        small.resize((500, 375), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def by_pillow(path: Path) -> np.ndarray:
    """The image by Pillow alone, uint8[3, 224, 224]."""
    with Image.open(path) as image:
        fitted = ImageOps.fit(image.convert("RGB"), (224, 224), Image.Resampling.BICUBIC)
        return np.asarray(fitted).transpose(2, 0, 1)


def main(files: int = 100_000, pictures: int = 2_000) -> None:
    """Prints the seconds, and the ratio.

    Arguments:
        files: The number of small files.
        pictures: The number of JPEG files.
    """
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), files)
        cold = forget_files()
        for name in ("cold" if cold else "first, not cold: the cache could not be dropped", "again"):
            start = time.perf_counter()
            tree(Path(folder), Decoding(), "any")
            print(f"{files:,} files listed and identified, {name}: {time.perf_counter() - start:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        decoding, ratios, seconds = Decoding(), [], [0.0, 0.0]
        for i, path in enumerate(photographs(Path(folder), pictures)):
            took = [0.0, 0.0]
            for which in (i % 2, 1 - i % 2):
                start = time.perf_counter()
                if which:
                    with open_image(path, "any") as image:
                        decoding.square(image)
                else:
                    by_pillow(path)
                took[which] = time.perf_counter() - start
            ratios.append(took[1] / took[0])
            seconds = [one + other for one, other in zip(seconds, took, strict=True)]
        print(
            f"{pictures:,} JPEG files of 500 x 375 decoded to 224: {seconds[1]:.2f} s, by Pillow alone "
            f"{seconds[0]:.2f} s: {seconds[1] / seconds[0]:.3f} x as long (median of the pairs "
            f"{statistics.median(ratios):.3f})"
        )


if __name__ == "__main__":
    tyro.cli(main)
