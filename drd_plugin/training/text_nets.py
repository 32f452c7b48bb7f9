"""Small networks for texts, from the numbers of words int64[B, 1, 1, L] in 0..V - 1 to features.

The features of a text do not depend on its padding.

References:
    Convolutional Neural Networks for Sentence Classification (Kim, 2014), https://arxiv.org/abs/1408.5882
    Attention Is All You Need (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762

Differences: the vectors of the words are learned from scratch. The convolutions of `textcnn` span one to three words,
not three to five, for shorter texts, and it has no dropout, which does not help its few features; `text_attention`
normalises before each part of a layer, and averages the words.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.text import PADDING
from .net import Net, TextNet, for_texts

__all__ = ["text_attention", "textcnn"]

REACHES = (1, 2, 3)
"""The number of words that each convolution of `textcnn` spans."""


@for_texts
def textcnn(numbers: int, length: int, num_classes: int) -> Net:
    """Convolutions over one, two and three words, 32 features each, and their maxima over a text."""
    return TextNet(WordConvolutions(numbers, 32), 32 * len(REACHES), num_classes)


@for_texts
def text_attention(numbers: int, length: int, num_classes: int) -> Net:
    """A transformer encoder of two layers of 64 features, averaged over the words."""
    return TextNet(WordAttention(numbers, 64), 64, num_classes)


class WordConvolutions(nn.Module):
    """The backbone of `textcnn`.

    Arguments:
        numbers: V, the numbers of the vocabulary.
        width: The features of a word, and of each convolution.
    """

    def __init__(self, numbers: int, width: int) -> None:
        super().__init__()
        self.embedding = _embedding(numbers, width)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, reach) for reach in REACHES)

    def forward(self, texts: Tensor) -> Tensor:
        """The features, float[B, 3 x width]; a convolution starts at each word, and reads zeros behind the last."""
        texts = texts.flatten(1)
        words, padding = self.embedding(texts).transpose(1, 2), (texts == PADDING).unsqueeze(1)
        pairs = zip(REACHES, self.convolutions, strict=True)
        maps = [convolve(F.pad(words, (0, reach - 1))).relu() for reach, convolve in pairs]
        return torch.cat([values.masked_fill(padding, 0).amax(2) for values in maps], 1)


class WordAttention(nn.Module):
    """The backbone of `text_attention`.

    Arguments:
        numbers: V, the numbers of the vocabulary.
        width: The features of a word.
        heads: The number of attention heads of each layer.
        layers: The number of layers.
    """

    def __init__(self, numbers: int, width: int, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.embedding = _embedding(numbers, width)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, texts: Tensor) -> Tensor:
        """The features, float[B, width]."""
        texts = texts.flatten(1)
        padding, words = texts == PADDING, self.embedding(texts)
        words = self.encoder(words * words.shape[2] ** 0.5 + _places(words), src_key_padding_mask=padding)
        return words.masked_fill(padding.unsqueeze(2), 0).sum(1) / (~padding).sum(1, keepdim=True)


def _embedding(numbers: int, width: int) -> nn.Embedding:
    """A table of word vectors, of length one on average; that of padding is zero."""
    weight = torch.randn(numbers, width) / width**0.5
    weight[PADDING] = 0
    return nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=PADDING)


def _places(words: Tensor) -> Tensor:
    """The sines and cosines of each word's place in the text, float[L, width] for words [B, L, width] of even width."""
    length, width = words.shape[1:]
    place = torch.arange(length, device=words.device, dtype=torch.float32).unsqueeze(1)
    angle = place / 10_000 ** (torch.arange(0, width, 2, device=words.device) / width)
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1).to(words.dtype)
