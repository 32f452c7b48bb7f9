"""Models as a hub has them: reading, the label bridge, latents; with small models that the tests save."""

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTTransformer2DModel, UNet2DModel
from models import save_dit
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from drd_plugin.artifacts import ArtifactError
from drd_plugin.data import from_arrays, load, scaled
from drd_plugin.diffusion import (
    Batches,
    DenoiserError,
    Latents,
    bridge,
    class_ids,
    find_denoiser,
    image_shape,
    imagenet_wnids,
    load_denoiser,
    wordnet_ancestors,
)
from drd_plugin.diffusion.denoisers import hub
from drd_plugin.diffusion.denoisers.latent import LatentDenoiser
from drd_plugin.diffusion.denoisers.load import _log_licence
from drd_plugin.diffusion.denoisers.mixture import linear_schedule
from drd_plugin.diffusion.denoisers.pixel import PixelDenoiser
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scoring import score

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dit(tmp_path_factory):
    return save_dit(tmp_path_factory.mktemp("hub") / "dit")


@pytest.fixture(scope="module")
def denoiser(dit):
    return load_denoiser(dit, CPU)


@pytest.fixture(scope="module")
def imagenette(tmp_path_factory):
    """Three classes of ImageNette, six images each."""
    root, rng = tmp_path_factory.mktemp("data") / "imagenette2", np.random.default_rng(0)
    for c in (0, 217, 482):
        for part, count in (("train", 6), ("val", 2)):
            (root / part / imagenet_wnids()[c]).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(root / part / imagenet_wnids()[c] / f"{i}.JPEG")
    return load("imagenette", root.parent, 32)


def test_a_pipeline_is_read_with_its_vae(dit, denoiser):
    assert (denoiser.num_classes, denoiser.null_class) == (1000, 1000)
    assert (denoiser.image_shape, denoiser.latent_shape) == ((3, 16, 16), (4, 4, 4))
    assert image_shape(dit) == (3, 16, 16)
    assert denoiser.card["licence"] == "cc-by-nc-4.0"
    assert not denoiser.model.training
    assert not denoiser.vae.training


def test_latents_are_the_scaled_means_and_are_decoded(dit, denoiser):
    vae = AutoencoderKL.from_pretrained(dit, subfolder="vae").eval()
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected = vae.encode(images).latent_dist.mean * 0.18215
        assert torch.allclose(denoiser.encode(images), expected, atol=1e-6)
        assert torch.equal(denoiser.encode(images), denoiser.encode(images))
        assert torch.allclose(denoiser.decode(expected), vae.decode(expected / 0.18215).sample, atol=1e-5)


def test_the_noise_is_the_conditional_branch_without_the_variance(dit, denoiser):
    transformer = DiTTransformer2DModel.from_pretrained(dit, subfolder="transformer").eval()
    x, t = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 400, 999])
    labels = torch.tensor([0, 482, 1000])
    with torch.no_grad():
        noise = denoiser.predict_noise(x, t, labels)
        assert torch.allclose(noise, transformer(x, timestep=t, class_labels=labels).sample[:, :4], atol=1e-5)
        assert not torch.allclose(noise, denoiser.predict_noise(x, t, labels * 0), atol=1e-2)
        half = load_denoiser(dit, CPU, "bfloat16").predict_noise(x, t, labels)
    assert half.dtype == torch.float32
    assert torch.allclose(noise, half, atol=0.1)
    assert not torch.equal(noise, half)


def test_a_name_of_the_hub_is_read_from_its_cache(dit, monkeypatch):
    downloads = []

    def snapshot(name, allow_patterns):
        downloads.append((name, allow_patterns))
        return str(dit)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert load_denoiser(hub.local_folder("someone/small-dit"), CPU).num_classes == 1000
    [(name, patterns)] = downloads
    assert name == "someone/small-dit"
    assert not any(pattern.endswith((".bin", ".pt", ".ckpt", ".py")) for pattern in patterns)
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DenoiserError, match="the hub gives no model of that name"):
        hub.local_folder("someone/that-is-not-there")
    with pytest.raises(DenoiserError, match="there is no folder"):
        hub.local_folder("no/such/folder")


def test_pickled_weights_are_read_without_running_code(dit, denoiser, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "CACHE", tmp_path / "cache")
    shutil.copytree(dit, tmp_path / "old")
    weights = tmp_path / "old" / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    folder = hub.local_folder(str(tmp_path / "old"))
    assert folder.parent == tmp_path / "cache"
    assert not list(folder.rglob("*.bin"))
    images = torch.zeros(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(load_denoiser(folder, CPU).encode(images), denoiser.encode(images))
    shutil.rmtree(tmp_path / "cache")
    torch.save({"weight": shutil.rmtree}, weights.with_suffix(".bin"))
    with pytest.raises(DenoiserError, match="holds more than weights"):
        hub.local_folder(str(tmp_path / "old"))
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_the_ids_are_imagenets():
    """Some that papers and model cards name."""
    wnids = imagenet_wnids()
    assert len(wnids) == len(set(wnids)) == 1000
    assert list(wnids) == sorted(wnids)
    named = {0: "n01440764", 207: "n02099601", 217: "n02102040", 701: "n03888257", 999: "n15075141"}
    assert {i: wnids[i] for i in named} == named


def test_a_golden_retrievers_nearest_classes_are_dogs():
    above = wordnet_ancestors()
    retriever = set(above["n02099601"])
    dogs = imagenet_wnids()[151:269]
    assert all(retriever & set(above[dog]) for dog in dogs)
    assert len(set(above["n02099601"][:2]) & set(above["n02099712"])) == 2  # the Labrador
    assert set(above["n02099601"]).isdisjoint(above["n02102040"][:1])


def test_imagenettes_classes_have_the_models_numbers(dit, imagenette):
    with pytest.raises(DenoiserError, match="load the data with size=16"):
        find_denoiser(str(dit), imagenette.train, CPU)
    resized = DRD(denoiser=str(dit)).resized(imagenette.train)
    assert resized.shape == (3, 16, 16)
    assert resized.images.decoding.crop == "adm"
    bridged = find_denoiser(str(dit), resized, CPU)
    assert bridged.card["class_ids"] == {"n01440764": 0, "n02102040": 217, "n02979186": 482}
    assert (bridged.num_classes, bridged.null_class) == (3, 3)
    x, t = torch.randn(4, 4, 4, 4), torch.full((4,), 300)
    with torch.no_grad():
        noise = bridged.predict_noise(x, t, torch.arange(4))
        assert torch.equal(noise, bridged.inner.predict_noise(x, t, torch.tensor([0, 217, 482, 1000])))


def test_a_file_maps_class_names_to_the_models_classes(denoiser, tmp_path):
    split = from_arrays("pets", np.zeros((6, 3, 16, 16), np.uint8), np.arange(6) % 3)
    split = replace(split, classes=("cat", "dog", "axolotl"))
    with pytest.raises(DenoiserError, match=r"none for 3 of the 3 classes of pets \(cat, dog, axolotl\): give labels="):
        class_ids(denoiser, split)
    (tmp_path / "map.toml").write_text("cat = 281\ndog = 207\n")
    with pytest.raises(DenoiserError, match=r"none for 1 of the 3 classes of pets \(axolotl\)"):
        class_ids(denoiser, split, str(tmp_path / "map.toml"))
    assert class_ids(denoiser, split, str(tmp_path / "map.toml"), "null") == [281, 207, 1000]
    (tmp_path / "map.json").write_text('{"cat": 281, "dog": 207, "axolotl": 29}')
    assert bridge(denoiser, split, str(tmp_path / "map.json")).card["class_ids"]["axolotl"] == 29
    for wrong, message in (("cat = 'tabby'", "number of a class"), ("cat = 1000", "classes 0 to 999"), ("=", "cannot")):
        (tmp_path / "map.toml").write_text(f"{wrong}\ndog = 2\naxolotl = 3\n")
        with pytest.raises(DenoiserError, match=message):
            class_ids(denoiser, split, str(tmp_path / "map.toml"))


def test_a_changed_mapping_is_another_score(dit, imagenette, tmp_path):
    mapping = tmp_path / "map.toml"
    mapping.write_text("\n".join(f"{name} = {i}" for i, name in enumerate(imagenette.train.classes)))
    elbo = ELBO(denoiser=str(dit), labels=str(mapping), draws=1)
    first = score(imagenette.train, elbo, out=tmp_path / "s", device="cpu", progress=False)
    assert first.provenance["inputs"]["labels"] == {name: i for i, name in enumerate(imagenette.train.classes)}
    mapping.write_text("\n".join(f"{name} = {i + 5}" for i, name in enumerate(imagenette.train.classes)))
    with pytest.raises(ArtifactError, match="other settings"):
        score(imagenette.train, elbo, out=tmp_path / "s", device="cpu", progress=False)


def test_unmapped_classes_are_scored_without_a_class(dit, imagenette, tmp_path):
    (tmp_path / "map.toml").write_text("n01440764 = 0\nn02102040 = 217\n")
    settings = {"denoiser": str(dit), "labels": str(tmp_path / "map.toml"), "draws": 1}
    with pytest.raises(DenoiserError, match="n02979186"):
        score(imagenette.train, ELBO(**settings), device="cpu", progress=False)
    scores = score(imagenette.train, ELBO(**settings, unmapped="null"), device="cpu", progress=False)
    assert scores.provenance["settings"]["denoiser"]["class_ids"]["n02979186"] == 1000


@pytest.mark.parametrize(
    "settings",
    [
        DRD(timestep=5, draws=2, distance="mse"),
        DRD(B=2, noises=2, draws=1, distance="mse", search="staged"),
        DRD(timesteps=(3, 6), draws=2, distance="mse", reference="vae"),
        ELBO(draws=2, antithetic=True),
    ],
)
def test_a_dit_scores_imagenette(dit, imagenette, settings, tmp_path):
    """The same in small batches, while latents are stored, and from stored latents."""
    settings = replace(settings, denoiser=str(dit))
    whole = score(imagenette.train, settings, device="cpu", progress=False)
    assert whole.provenance["settings"]["denoiser"]["licence"] == "cc-by-nc-4.0"
    small = replace(settings, batch_size=3, latents=str(tmp_path))
    storing = score(imagenette.train, small, device="cpu", progress=False)
    assert np.allclose(storing.values, whole.values, rtol=1e-4, atol=1e-5)
    assert list(tmp_path.rglob("*.safetensors"))
    reading = score(imagenette.train, small, device="cpu", progress=False)
    assert np.allclose(reading.values, whole.values, rtol=1e-4, atol=1e-5)


def test_the_licence_is_logged_once(dit, imagenette, caplog):
    _log_licence.cache_clear()
    resized = DRD(denoiser=str(dit)).resized(imagenette.train)
    with caplog.at_level(logging.INFO, "drd_plugin"):
        find_denoiser(str(dit), resized, CPU)
        find_denoiser(str(dit), resized, CPU)
    assert caplog.messages == [f"{dit}: licence cc-by-nc-4.0"]


def test_latents_are_stored_by_content(dit, denoiser, imagenette, tmp_path):
    resized = DRD(denoiser=str(dit)).resized(imagenette.train)
    latents, index = Latents.in_folder(denoiser, dit, str(tmp_path)), torch.arange(5)
    images = scaled(resized.images[index])
    with torch.inference_mode():
        first = latents(images, index)
        [path] = tmp_path.rglob("*.safetensors")
        save_file({"latents": (first + 1).contiguous()}, path)
        assert torch.equal(latents(images, index), first + 1)  # read, not encoded again
        assert torch.equal(latents(images * 0.5, index), Latents(denoiser)(images * 0.5, index))
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(ArtifactError, match="is damaged"):
            latents(images, index)
        assert Latents.in_folder(denoiser, dit, "").folder is None


def test_the_vae_has_batches_of_its_own(dit, imagenette, monkeypatch):
    drd = DRD(denoiser=str(dit), timestep=6, draws=2, distance="mse", reference="vae")
    whole = score(imagenette.train, drd, device="cpu", progress=False)
    batch_sizes = []

    def limited(run):
        def two_at_most(self, x):
            if len(x) > 2:
                raise torch.OutOfMemoryError
            return run(self, x)

        return two_at_most

    def counted(self, x, t, labels):
        batch_sizes.append(len(x))
        return PixelDenoiser.predict_noise(self, x, t, labels)

    monkeypatch.setattr(LatentDenoiser, "encode", limited(LatentDenoiser.encode))
    monkeypatch.setattr(LatentDenoiser, "decode", limited(LatentDenoiser.decode))
    monkeypatch.setattr(LatentDenoiser, "predict_noise", counted)
    with pytest.warns(UserWarning, match="batches of 2"):
        again = score(imagenette.train, drd, device="cpu", progress=False)
    assert np.allclose(again.estimates, whole.estimates, atol=1e-5)
    assert set(batch_sizes) == {36}  # 18 images and 2 draws: the denoiser's batches stay


def test_a_compiled_denoiser_predicts_the_same_noise(dit, denoiser):
    compiled = load_denoiser(dit, CPU, compiled=True)
    x, t, labels = torch.randn(3, 4, 4, 4), torch.tensor([5, 500, 900]), torch.tensor([0, 7, 1000])
    with torch.inference_mode():
        assert torch.allclose(denoiser.predict_noise(x, t, labels), compiled.predict_noise(x, t, labels), atol=1e-4)
    assert (denoiser.card["compiled"], compiled.card["compiled"]) == (False, True)


def test_a_model_without_class_names_is_not_taken_for_the_data_sets(tmp_path, digits):
    unet = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 8), norm_num_groups=4,
                       down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
                       layers_per_block=1, num_class_embeds=10)  # fmt: skip
    unet.save_pretrained(tmp_path / "unet")
    DDIMScheduler().save_pretrained(tmp_path / "scheduler")
    unnamed = load_denoiser(tmp_path, CPU)
    assert (unnamed.num_classes, unnamed.null_class) == (10, None)
    with pytest.raises(DenoiserError, match="or labels=order if they are the model's in the same order"):
        class_ids(unnamed, digits.train)
    assert class_ids(unnamed, digits.train, "order") == list(range(10))
    with pytest.raises(DenoiserError, match="has 10 classes and digits 3, so they are not the same"):
        class_ids(unnamed, replace(digits.train, classes=tuple("abc"), labels=digits.train.labels % 3), "order")


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("transformer", "{no json", r"transformer/config\.json cannot be read"),
        ("transformer", {"sample_size": None}, r"config\.json does not say the sample_size"),
        ("vae", {"block_out_channels": None}, r"vae/config\.json does not say the block_out_channels"),
        ("transformer", {"attention_head_dim": 16}, "cannot be read"),
    ],
)
def test_damaged_configurations_are_named(dit, imagenette, tmp_path, part, content, message):
    shutil.copytree(dit, tmp_path / "d")
    path = tmp_path / "d" / part / "config.json"
    changed = content if isinstance(content, str) else json.dumps(json.loads(path.read_text()) | content)
    path.write_text(changed)
    with pytest.raises(DenoiserError, match=message):
        score(imagenette.train, DRD(denoiser=str(tmp_path / "d"), timestep=3), device="cpu", progress=False)


def test_a_latent_that_is_not_finite_names_its_example(denoiser):
    images = torch.zeros(3, 3, 16, 16)
    images[1] = torch.nan
    with torch.inference_mode(), pytest.raises(ArtifactError, match="latent of example 8 is NaN or infinite"):
        Latents(denoiser)(images, torch.tensor([4, 8, 9]))


def test_batches_shrink_when_memory_runs_out():
    sizes = []

    def work(part):
        sizes.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError
        return 2 * part

    batches = Batches(10)
    with pytest.warns(UserWarning, match="out of memory: going on with batches of 5"):
        assert batches.over(torch.arange(11), work).tolist() == list(range(0, 22, 2))
    assert sizes == [10, 5, 2, 2, 2, 2, 2, 1]
    assert batches.most == 2

    def never(part):
        raise torch.OutOfMemoryError

    with pytest.warns(UserWarning, match="batches of 1"), pytest.raises(torch.OutOfMemoryError):
        Batches(2).over(torch.arange(2), never)


def test_a_folder_without_a_card_has_an_unknown_licence(dit, tmp_path):
    shutil.copytree(dit, tmp_path / "d")
    (tmp_path / "d" / "README.md").unlink()
    assert load_denoiser(tmp_path / "d", CPU).card["licence"] == "unknown"
    (tmp_path / "d" / "card.json").write_text(json.dumps({"licence": "mit"}))
    assert load_denoiser(tmp_path / "d", CPU).card["licence"] == "mit"


class ScheduleCopies(TorchDispatchMode):
    """Counts the copies of a schedule of a thousand steps to another device or precision."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation is torch.ops.aten._to_copy.default and args[0].shape == (1000,)
        return operation(*args, **(kwargs or {}))


def test_a_schedule_is_copied_once_for_each_precision():
    """By a network whose v is known, so that the noise is known too."""
    unet = UNet2DModel(sample_size=4, in_channels=1, out_channels=1, block_out_channels=(8,), norm_num_groups=4,
                       down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), layers_per_block=1,
                       num_class_embeds=4)  # fmt: skip
    denoiser = PixelDenoiser(unet, linear_schedule(), 3, prediction_type="v_prediction")
    chance, t, labels = torch.Generator().manual_seed(0), torch.tensor([0, 500, 999]), torch.arange(3)
    x_0, noise = torch.randn(2, 3, 1, 4, 4, generator=chance, dtype=torch.float64)
    a = linear_schedule()[t].view(-1, 1, 1, 1)
    x_t, v = a.sqrt() * x_0 + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * x_0
    unet.forward = lambda *_, **__: (v,)
    for precision, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12), (torch.bfloat16, 0.05)):
        with ScheduleCopies() as copies:
            predictions = [denoiser.predict_noise(x_t.to(precision), t, labels) for _ in range(3)]
        assert all(predicted.dtype == precision for predicted in predictions)
        assert all(torch.allclose(predicted.double(), noise, atol=tolerance) for predicted in predictions)
        assert copies.count == (precision != torch.float64)  # the precision of the schedule itself
