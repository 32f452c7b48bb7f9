"""The deviation's embeddings: the LPIPS formula, the network that stands in for a pretrained trunk, and pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drd_plugin.core.job import Job
from drd_plugin.data import DataError, scaled
from drd_plugin.diffusion import distance, embedding
from drd_plugin.diffusion.distance import LPIPS, has_lpips

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["lpips-alex", "lpips-vgg"])
def lpips_metric(request):
    """LPIPS by the lpips package, with random weights in the trunk."""
    lpips = pytest.importorskip("lpips")
    with pytest.MonkeyPatch.context() as patch:
        make = lpips.LPIPS
        patch.setattr(lpips, "LPIPS", lambda **settings: make(**settings, pnet_rand=True))
        return LPIPS(request.param, CPU)


@pytest.fixture(scope="module")
def image_pair():
    """Two batches of colour images."""
    return [torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1)]


def squared_distance(embed, images, others):
    with torch.no_grad():
        return (embed(images) - embed(others)).square().sum(1)


def test_pixels_are_embedded_for_the_mean_squared_error(image_pair):
    expected = (image_pair[0] - image_pair[1]).square().mean((1, 2, 3))
    assert torch.allclose(squared_distance(embedding("mse", None, 0), *image_pair), expected)


def test_the_embedding_agrees_with_the_lpips_package(lpips_metric, image_pair):
    """The formula as an embedding against the package's own forward pass."""
    with torch.no_grad():
        expected = lpips_metric.model(*image_pair).flatten()
        grey = image_pair[0][:, :1]
        assert torch.equal(lpips_metric(grey), lpips_metric(grey.expand(-1, 3, -1, -1)))
    assert torch.allclose(squared_distance(lpips_metric, *image_pair), expected, rtol=1e-3)


def test_the_maps_of_a_trunk_may_come_one_by_one(lpips_metric, image_pair, monkeypatch):
    trunk = lpips_metric.model.net
    with torch.no_grad():
        expected, forward = lpips_metric(image_pair[0]), trunk.forward
        monkeypatch.setattr(trunk, "forward", lambda x: (features for features in forward(x)))
        assert torch.equal(lpips_metric(image_pair[0]), expected)


def test_maps_and_weights_may_be_generators():
    """The formula by hand, for two maps of different size."""
    rng = np.random.default_rng(0)
    maps = [torch.from_numpy(rng.normal(size=(2, channels, side, side))) for channels, side in ((3, 4), (5, 2))]
    weights = [torch.from_numpy(rng.random((1, channels, 1, 1))) for channels in (3, 5)]
    expected = []
    for features, weight in zip(maps, weights, strict=True):
        unit = features / features.norm(dim=1, keepdim=True)
        expected.append((weight * unit / features[0, 0].numel() ** 0.5).flatten(1))
    weighted = distance._concatenate((features for features in maps), (weight for weight in weights))
    assert torch.allclose(weighted, torch.cat(expected, 1))
    unweighted = distance._concatenate(features for features in maps)
    assert torch.equal(unweighted, distance._concatenate(maps, (1.0 for _ in maps)))
    assert not torch.allclose(unweighted, weighted)


def test_the_network_distance_is_the_formula_over_its_blocks(digits, critic_folder):
    embed = embedding("network", digits.train, 0, Job("cpu", folder=critic_folder))
    images, others = scaled(digits.train.images[:4]), scaled(digits.train.images[4:8])
    mean, std = (torch.tensor(v).view(1, 1, 1, 1) for v in digits.train.statistics)
    expected = torch.zeros(4)
    x, y = (((v + 1) / 2 - mean) / std for v in (images, others))
    with torch.no_grad():
        for block in ("block1", "block2", "block3"):
            x, y = (getattr(embed.backbone, block)(v) for v in (x, y))
            unit = [v / v.norm(dim=1, keepdim=True).clamp_min(1e-10) for v in (x, y)]
            expected += (unit[0] - unit[1]).square().sum(1).mean((1, 2))
    assert torch.allclose(squared_distance(embed, images, others), expected, rtol=1e-4)


def test_the_network_is_stored_and_read_again(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(distance, "CRITIC", replace(distance.CRITIC, steps=5))
    stored = embedding("network", tiny, 0, Job("cpu", folder=tmp_path))
    assert (tmp_path / "critic.safetensors").exists()
    again = embedding("network", tiny, 99, Job("cpu", folder=tmp_path))
    images = scaled(tiny.images[:3])
    with torch.no_grad():
        assert torch.equal(stored(images), again(images))
    assert stored.name == again.name == embedding("network", tiny, 0, Job("cpu")).name
    assert embedding("network", tiny, 99, Job("cpu")).name != stored.name


def test_unknown_and_unavailable_distances(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not has_lpips("lpips-alex")
    with pytest.raises(DataError, match=r"alexnet weights in .* fetches them"):
        embedding("lpips-alex", digits.train, 0)
    with pytest.raises(DataError, match="unknown distance 'lpipz'"):
        embedding("lpipz", digits.train, 0)
