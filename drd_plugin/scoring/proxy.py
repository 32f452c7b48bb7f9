"""The training of one proxy, watched by scores; checkpoints let a killed training go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Features
from ..core.job import Job
from ..core.provenance import describe, digest, environment
from ..core.team import is_main_process
from ..data import Split
from ..scores import FoldScore, Proxy
from ..training.checkpoint import Checkpoint
from ..training.loop import train
from ..training.recipe import Recipe
from ..training.recorder import Recorder

__all__ = ["KeepFeatures", "ProxyTraining", "proxy_identity"]

KeepFeatures = Callable[[Features], None]
"""Receives the penultimate features of a proxy after its training."""


def proxy_identity(split: Split, recipe: Recipe, seed: int) -> dict[str, Any]:
    """The settings that determine a proxy, ready for JSON."""
    return {"recipe": describe(recipe), "seed": seed, "dataset": split.name, "fingerprint": split.fingerprint}


class ProxyTraining:
    """The training of one proxy, which goes on from its checkpoint if there is one.

    Arguments:
        split: The training split.
        folds: The scores that watch.
        recipe: The recipe of the training, in epochs.
        seed: The proxy's own seed; see `drd_plugin.scoring.recording.proxy_seed`.
        job: How and where; the checkpoint, and then the scores, are stored in its folder.
    """

    def __init__(self, split: Split, folds: Sequence[FoldScore], recipe: Recipe, seed: int, job: Job) -> None:
        self.split, self.folds, self.recipe, self.seed, self.job = split, folds, recipe, seed, job
        number = seed >> 32
        label = f"proxy (seed {seed % 2**32}{f', number {number}' if number else ''})"
        self.label = label if job.progress and is_main_process() else ""
        self.names = [digest(fold) for fold in folds]
        self.checkpoint = None
        path = job.path(f"proxy-{number}.safetensors")
        if path is not None:
            note = {"folds": self.names, "processes": job.team.count}
            self.checkpoint = Checkpoint(path, digest(proxy_identity(split, recipe, seed)), note=note)

    def columns(self, keep_features: KeepFeatures | None) -> tuple[list[np.ndarray], float]:
        """The scores of each fold, float32[n], and the seconds that the training took.

        Arguments:
            keep_features: Receives the penultimate features of the proxy.

        Raises:
            ArtifactError: If the job's folder holds a training by another number of processes.
            FloatingPointError: If the training diverges.
        """
        finished = self._finished(keep_features is not None)
        if finished is not None:
            return finished
        start, team = time.perf_counter(), self.job.team
        columns, earlier = self._train(keep_features)
        seconds = time.perf_counter() - start + earlier
        if self.checkpoint is not None:
            if team.leads:
                self.checkpoint.write(dict(zip(self.names, columns, strict=True)), {"finished": seconds})
            team.wait()
        return [column.numpy() for column in columns], seconds

    def _finished(self, needs_network: bool) -> tuple[list[np.ndarray], float] | None:
        """The scores and seconds of a finished training, or None. A useless checkpoint is removed: that of a finished
        training if its network is needed again, and one that other scores watched.
        """
        stored = None if self.checkpoint is None else self.checkpoint.read()
        if self.checkpoint is None or stored is None:
            return None
        (tensors, header), team = stored, self.job.team
        if "finished" in header and not needs_network and set(self.names) <= set(tensors):
            return [tensors[name].numpy() for name in self.names], header["finished"]
        if "finished" in header or header["folds"] != self.names:
            team.wait()
            if team.leads:
                self.checkpoint.path.unlink(missing_ok=True)
            team.wait()
        elif header["processes"] != team.count:
            raise ArtifactError(
                f"{self.checkpoint.path} was begun by {header['processes']} processes, and now there are "
                f"{team.count}: go on with as many, or remove it."
            )
        return None

    def _train(self, keep_features: KeepFeatures | None) -> tuple[list[Any], float]:
        """The scores, and the seconds of the training before this process continued it."""
        split, epochs, device = self.split, self.recipe.epochs or 0, self.job.torch_device
        recorder = Recorder(self.folds, len(split), split.num_classes, epochs, device, self.job.team)
        start = time.perf_counter()
        trained = train(
            split, self.recipe, seed_init=self.seed, seed_order=self.seed, recorder=recorder,
            checkpoint=self.checkpoint, team=self.job.team, device=str(device), label=self.label,
        )  # fmt: skip
        earlier = max(0.0, trained.seconds - (time.perf_counter() - start))
        recorder.finish()
        proxy = Proxy(trained.net, split, epochs, str(device))
        if keep_features is not None:
            values, seconds = proxy.features.numpy(), earlier + time.perf_counter() - start
            cost = {"environment": environment(str(device)), "seconds": round(seconds, 3)}
            identity = proxy_identity(split, self.recipe, self.seed)
            keep_features(Features(values, split.fingerprint, identity | cost, owned=True))
        states = zip(self.folds, recorder.states, strict=True)
        return [fold.compute(state, proxy).float().cpu() for fold, state in states], earlier
