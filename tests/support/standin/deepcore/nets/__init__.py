"""What plugins rely on in DeepCore's `nets`: constructors, an embedding recorder, `no_grad` and `get_last_layer`."""

import torch
from torch import nn

from . import nets_utils as nets_utils
from .nets_utils import EmbeddingRecorder


class MLP(nn.Module):
    def __init__(self, channel, num_classes, im_size, record_embedding=False, no_grad=False, pretrained=False):
        if pretrained:
            raise NotImplementedError("no pretrained models")
        super().__init__()
        self.fc_1 = nn.Linear(channel * im_size[0] * im_size[1], 32)
        self.fc_2 = nn.Linear(32, num_classes)
        self.embedding_recorder = EmbeddingRecorder(record_embedding)
        self.no_grad = no_grad

    def get_last_layer(self):
        return self.fc_2

    def forward(self, x):
        with torch.set_grad_enabled(not self.no_grad):
            out = torch.relu(self.fc_1(x.view(x.size(0), -1)))
            return self.fc_2(self.embedding_recorder(out))


def LeNet(channel, num_classes, im_size, record_embedding=False, no_grad=False, pretrained=False):  # noqa: N802
    if im_size[0] < 28:
        raise NotImplementedError("Network Architecture for current dataset has not been implemented.")
    return MLP(channel, num_classes, im_size, record_embedding, no_grad, pretrained)
