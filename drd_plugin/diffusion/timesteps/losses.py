"""The denoising losses of single images, steps, draws and classes, in batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...artifacts import ArtifactError
from ...core.seeds import keyed_normal
from ..batching import Batches, forward_batch
from ..denoisers.base import Denoiser
from ..reconstruction import add_noise, sampling_grid

__all__ = ["ImageLosses"]


class ImageLosses:
    """|| eps - eps_theta(x_t, t, c') ||^2, summed over a latent's elements; the `Losses` of the search.

    The noise of a draw for an image is the same for all steps and classes.

    Arguments:
        denoiser: The diffusion model.
        x_0: The latents, float32[b, ...].
        index: Their positions in the data set, int64[b], by which noise is keyed.
        steps: The number of steps of the sampling grid.
        seed: The noise seed.
        batch_size: The most latents in a forward pass.
    """

    def __init__(
        self, denoiser: Denoiser, x_0: Tensor, index: np.ndarray, steps: int, seed: int, batch_size: int
    ) -> None:
        self.denoiser, self.x_0, self.index, self.steps, self.seed = denoiser, x_0, index, steps, seed
        self.batches = Batches(forward_batch(batch_size, tuple(x_0.shape[1:]), x_0.device))
        self.forwards = 0

    def __call__(self, image: np.ndarray, step: np.ndarray, draw: np.ndarray, label: np.ndarray) -> np.ndarray:
        """The losses, float64[Q].

        Raises:
            ArtifactError: If a loss is NaN or infinite.
        """
        order = np.lexsort((label, draw, image))  # losses with the same noise are computed together
        questions = torch.from_numpy(np.stack([image, step, draw, label], axis=1)[order])
        losses = np.empty(len(questions))
        with torch.inference_mode():
            losses[order] = self.batches.over(questions, self._batch).numpy()
        broken = np.flatnonzero(~np.isfinite(losses))
        if len(broken):
            raise ArtifactError(
                f"the denoising loss of example {self.index[image[broken[0]]]} is NaN or infinite: look at this image, "
                "and at the denoiser's precision."
            )
        self.forwards += len(questions)
        return losses

    def _batch(self, questions: Tensor) -> Tensor:
        """The losses float64[Q] for rows (image, step, draw, class) int64[Q, 4], on the CPU."""
        device, shape = self.x_0.device, tuple(self.x_0.shape[1:])
        image, step, _, label = questions.T.to(device)
        noises, which = questions[:, [0, 2]].unique(dim=0, return_inverse=True)
        positions, draws = self.index[noises[:, 0].numpy()], noises[:, 1].numpy()
        keyed = keyed_normal(self.seed, "timestep", positions, draws, shape)
        eps = torch.from_numpy(keyed).to(device)[which.to(device)]
        x_t = add_noise(self.denoiser, self.x_0[image], eps, step, self.steps)
        grid = sampling_grid(len(self.denoiser.alphas_cumprod), self.steps).to(device)
        predicted = self.denoiser.predict_noise(x_t, grid[step], label)
        return (eps - predicted).flatten(1).square().sum(1).double().cpu()
