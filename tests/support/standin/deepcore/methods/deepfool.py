import numpy as np
import torch

from .coresetmethod import CoresetMethod


class DeepFool(CoresetMethod):
    """Adds in place to what it differentiates by, as DeepCore's does."""

    def __init__(self, dst_train, args, fraction=0.5, random_seed=None, epochs=200, max_iter=50, **kwargs):
        super().__init__(dst_train, args, fraction, random_seed)
        self.max_iter = max_iter

    def deep_fool(self, inputs):
        inputs.requires_grad_(True)
        inputs += 1
        return inputs.detach().flatten(1).sum(1).numpy()

    def select(self, **kwargs):
        distance = self.deep_fool(torch.stack([image for image, _ in self.dst_train]))
        return {"indices": np.argsort(distance)[: self.coreset_size], "scores": distance}
