import torch


class WeightedSubset(torch.utils.data.Subset):
    def __init__(self, dataset, indices, weights):
        self.dataset, self.indices, self.weights = dataset, indices, weights

    def __getitem__(self, idx):
        return self.dataset[self.indices[idx]], self.weights[idx]
