"""Scoring by this library against the straightforward loop: images per second, and where the time goes.

python benchmarks/speed/scoring.py [--images 512] [--draws 8] [--rounds 3]

The loop scores one class after another, draw by draw, and for each draw encodes the images again, walks diffusers'
DDIMScheduler step by step, and computes the features of image and reconstruction. Both score the same digits from the
same noise with the bundled denoiser, the same network for the distance and the same greatest batch.
"""

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import tyro
from diffusers import DDIMScheduler

from drd_plugin.core.job import Job
from drd_plugin.core.provenance import processor, versions
from drd_plugin.core.seeds import keyed_normal
from drd_plugin.data import Split, load, scaled
from drd_plugin.diffusion import Embedding, Latents, embedding, find_denoiser
from drd_plugin.scores import DRD
from drd_plugin.scores.drd import Deviation


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.spent = device, defaultdict(float)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Counts what happens inside."""
        self.wait()
        start = time.perf_counter()
        yield
        self.wait()
        self.spent[stage] += time.perf_counter() - start

    def wait(self) -> None:
        """For the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def watched(self, stage: str, run: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose time is counted."""

        def counted(*arguments: Any) -> Any:
            with self.timing(stage):
                return run(*arguments)

        return counted


def straightforward(
    split: Split, denoiser: Any, embed: Embedding, starts: np.ndarray, draws: int, batch: int, device: torch.device
) -> np.ndarray:
    """The loop, float32[n, draws]."""
    scheduler: Any = DDIMScheduler(clip_sample=False, timestep_spacing="leading")
    scheduler.set_timesteps(50)
    scores = np.empty((len(split), draws), np.float32)
    for c in range(split.num_classes):
        members = np.flatnonzero(split.labels == c)
        steps = [t for t in scheduler.timesteps if t <= 20 * int(starts[c])]
        for draw in range(draws):
            for part in torch.from_numpy(members).split(batch):
                images = scaled(split.images[part].to(device))
                x_0 = denoiser.encode(images)
                noise = torch.from_numpy(keyed_normal(0, "DRD", part.numpy(), draw, tuple(x_0.shape[1:]))).to(device)
                x = scheduler.add_noise(x_0, noise, steps[0])
                for t in steps:
                    label = torch.full((len(part),), c, device=device)
                    eps = denoiser.predict_noise(x, torch.full((len(part),), int(t), device=device), label)
                    x = scheduler.step(eps, t, x).prev_sample
                deviation = (embed(denoiser.decode(x)) - embed(images)).square().sum(1)
                scores[part.numpy(), draw] = deviation.cpu().numpy()
    return scores


def main(images: int = 512, draws: int = 8, rounds: int = 3, device: str = "auto") -> None:
    """Measures and prints.

    Arguments:
        images: Digits that are scored.
        draws: Draws of each.
        rounds: Rounds, after one that is not counted; the order within a round changes.
        device: auto, or a torch device.
    """
    job, whole = Job(device), load("digits").train
    torch_device = job.torch_device
    index = torch.linspace(0, len(whole) - 1, images).long()
    split = Split("some", whole.images[index], whole.labels[index.numpy()], whole.classes)
    denoiser, embed = find_denoiser("auto", whole, torch_device), embedding("network", whole, 0, job)
    starts = np.arange(10) % 5 + 20
    score = DRD(draws=draws)
    clock = Clock(torch_device)
    parts = {"denoiser": "predict_noise", "encode": "encode", "decode": "decode"}

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(denoiser, name)

    watched = Watched()
    for stage, name in parts.items():
        setattr(watched, name, clock.watched(stage, getattr(denoiser, name)))
    watched_embed: Any = clock.watched("distance", embed)
    scorer = Deviation(score, watched, Latents(watched), 0, torch_device, watched_embed, starts[:, None])  # type: ignore[arg-type]

    def ours() -> np.ndarray:
        labels = torch.from_numpy(split.labels).to(torch_device)
        parts = torch.arange(images).split(256)
        return torch.cat([scorer(scaled(split.images[i].to(torch_device)), labels[i], i).cpu() for i in parts]).numpy()

    def theirs() -> np.ndarray:
        return straightforward(split, denoiser, embed, starts, draws, score.batch_size, torch_device)

    seconds, results = defaultdict(list), {}
    for i in range(rounds + 1):
        for name, run in (("ours", ours), ("loop", theirs))[:: 1 if i % 2 else -1]:
            clock.spent.clear() if name == "ours" else None
            with torch.inference_mode():
                clock.wait()
                start = time.perf_counter()
                results[name] = run()
                clock.wait()
            if i:
                seconds[name].append(time.perf_counter() - start)
            if name == "ours":
                shares = {stage: 100 * spent / (time.perf_counter() - start) for stage, spent in clock.spent.items()}
    gap = np.abs(results["ours"] - results["loop"]).max() / results["loop"].std()
    ratios = sorted(b / a for a, b in zip(seconds["ours"], seconds["loop"], strict=True))
    for name, spent in seconds.items():
        print(f"{name}: {images / statistics.median(spent):.1f} images/s ({draws} draws)")
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, {rounds} rounds)")
    print("our time: " + ", ".join(f"{stage} {share:.1f} %" for stage, share in shares.items()))
    print(f"scores differ by at most {gap:.1e} standard deviations")
    print(f"{torch_device}, {processor()}, {json.dumps(versions())}")


if __name__ == "__main__":
    tyro.cli(main)
