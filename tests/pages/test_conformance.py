"""The page of definitions follows from the committed results, and AUM from its authors' package."""

import sys
from pathlib import Path

import numpy as np
import torch
from aum import AUMCalculator

from drd_plugin.methods import parse
from drd_plugin.scores import AUM, Proxy
from drd_plugin.training import Recorder

HERE = Path(__file__).parents[2] / "benchmarks" / "conformance"
sys.path.insert(0, str(HERE))


def test_the_page_is_made_from_the_committed_results():
    import page

    assert (HERE / "README.md").read_text() == page.page()


def test_the_page_names_methods_that_there_are():
    import page

    for row in page.rows():
        assert parse(row.name)
        assert not row.base or row.base in {other.name for other in page.rows()}


def test_aum_agrees_with_the_package_of_its_authors(tmp_path):
    chance, package = torch.Generator().manual_seed(0), AUMCalculator(tmp_path)
    labels, recorder = torch.randint(4, (50,), generator=chance), Recorder([AUM()], 50, 4, 3, torch.device("cpu"))
    for epoch in (1, 2, 3):
        for index in torch.randperm(50, generator=chance).split(16):
            logits = torch.randn(len(index), 4, generator=chance)
            recorder.step(epoch, index, logits, labels[index])
            package.update(logits, labels[index], index.tolist())
        recorder.end_epoch(epoch, lambda: iter(()))
    theirs = [package.sums[i] / package.counts[i] for i in range(50)]
    ours = AUM().compute(recorder.states[0], Proxy(None, None, 3, "cpu")).numpy()
    assert np.allclose(ours, theirs, atol=1e-5)
