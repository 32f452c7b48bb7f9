"""The images of a data set as they were before its transform, and as a denoiser takes them."""

import warnings

import numpy as np
import pytest
import torch
from checkout import Shapes, args_of
from PIL import Image
from torch.utils.data import TensorDataset
from torchvision import datasets, transforms
from torchvision.transforms import v2

from drd_plugin.data import DataError
from drd_plugin.deepcore import configure, method_class, split_of
from drd_plugin.diffusion import DenoiserError, resized_for


@pytest.mark.parametrize(
    "transform",
    [
        transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.4], [0.3])]),
        transforms.Compose([transforms.RandomCrop(28, padding=4), transforms.Compose([transforms.ToTensor()])]),
        v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.4], [0.3])]),
        transforms.ToTensor(),
        transforms.Compose([transforms.RandomApply([transforms.ColorJitter(1.0)]), transforms.ToTensor()]),
    ],
    ids=["normalised", "augmented", "v2", "single", "random"],
)
def test_images_come_back_as_they_were(transform):
    data = Shapes(40, transform)
    split = split_of(data)
    assert torch.equal(split.images[torch.arange(40)][:, 0], data.data)
    assert data.transform is transform
    np.testing.assert_array_equal(split.labels, data.targets)
    assert split.classes == ("dark", "grey", "light")


def test_steps_that_settle_the_size_stay():
    data = Shapes(20, transforms.Compose([transforms.Resize(16), transforms.ToTensor(), transforms.Normalize(0.5, 1)]))
    split = split_of(data)
    assert split.shape == (1, 16, 16)
    expected = transforms.functional.pil_to_tensor(
        transforms.functional.resize(Image.fromarray(data.data[7].numpy()), 16)
    )
    assert torch.equal(split.images[torch.tensor([7])][0], expected)


def test_images_that_are_too_many_for_memory_are_read_as_needed(monkeypatch):
    class Plain(Shapes):
        data = property(lambda self: None, lambda self, value: setattr(self, "pixels", value))

        def __getitem__(self, i):
            return self.transform(Image.fromarray(self.pixels[i].numpy())), int(self.targets[i])

    whole = split_of(Plain(40))
    monkeypatch.setattr("drd_plugin.deepcore.images.IN_MEMORY", 0)
    lazy = split_of(Plain(40))
    assert (whole.in_memory, lazy.in_memory) == (True, False)
    index = torch.tensor([3, 39, 0])
    assert torch.equal(lazy.images[index], whole.images[index])
    assert lazy.fingerprint == split_of(Plain(40)).fingerprint != split_of(Plain(41)).fingerprint


def test_data_sets_that_cannot_be_read_are_refused():
    data = Shapes(20)
    data.transform = transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: x)])
    with pytest.raises(DataError, match=r"the step Lambda\(\), and what the image is without it cannot be told"):
        split_of(data)
    data.transform = transforms.Compose([transforms.RandomChoice([transforms.Resize(8)]), transforms.ToTensor()])
    with pytest.raises(DataError, match="the step RandomChoice"):
        split_of(data)
    normalised = TensorDataset(torch.randn(6, 1, 8, 8), torch.arange(6) % 2)
    normalised.classes, normalised.targets = ["a", "b"], torch.arange(6) % 2
    with pytest.raises(DataError, match="was normalised, and how cannot be told"):
        split_of(normalised)
    without = TensorDataset(torch.rand(6, 1, 8, 8), torch.arange(6) % 2)
    with pytest.raises(DataError, match="TensorDataset has no attribute `classes`"):
        split_of(without)
    without.classes = ["a", "b"]
    with pytest.raises(DataError, match="TensorDataset has no attribute `targets`"):
        split_of(without)

    class Mixed(Shapes):
        def __getitem__(self, i):
            return self.transform(Image.new("L", (28 + i, 28))), 0

    with pytest.raises(DataError, match=r"image 1 differs in size from image 0, which is \(1, 28, 28\)"):
        split_of(Mixed(20))


def test_a_list_of_targets_is_converted_and_named_once():
    data = Shapes(60)
    method_class("EL2N")(data, args_of(), 0.2, 0, epochs=1).select()  # what is imported late resets the warnings
    data.targets = data.targets.tolist()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            result = method_class("EL2N")(data, args_of(), 0.2, 0, epochs=1).select()
    assert len(result["indices"]) > 0
    assert ["targets is a plain list" in str(one.message) for one in caught] == [True]


def test_images_are_resized_for_the_denoiser(denoiser):
    split = split_of(Shapes(20))
    small = resized_for(denoiser, split, in_memory=True)
    assert small.shape == (1, 8, 8)
    assert small.images[torch.arange(4)].dtype == torch.uint8
    assert small.fingerprint != split.fingerprint
    assert resized_for(denoiser, small, in_memory=True) is small


def test_a_denoiser_of_other_classes_is_refused(denoiser, no_options):
    data = Shapes(40)
    data.classes = ("one", "two", "three")
    configure("DRD+Hardest", denoiser=denoiser, timestep=3, draws=1, distance="mse")
    both = r"has 3 classes \(dark, grey, light\), and none for 3 .* of shapes \(one, two, three\).*fit a denoiser"
    with pytest.raises(DenoiserError, match=both):
        method_class("DRD+Hardest")(data, args_of(), 0.3, 0, epochs=1).select()


def test_colours_do_not_fit_a_grey_denoiser(denoiser):
    images = TensorDataset(torch.rand(6, 3, 8, 8), torch.arange(6) % 3)
    images.classes, images.targets = Shapes.classes, torch.arange(6) % 3
    with pytest.raises(DataError, match="takes images with 1 channels, but tensordataset has 3"):
        resized_for(denoiser, split_of(images), in_memory=True)


@pytest.mark.parametrize(("ids", "expected"), [(None, "crane (0)"), (["n1", "n2", "n3"], "crane (n1)")])
def test_two_classes_of_one_name_are_told_by_their_ids(ids, expected):
    """As torchvision's ImageNet has them, with several names for a class."""
    data = Shapes(12)
    data.classes = [("crane",), ("heron", "egret"), ("crane",)]
    if ids:
        data.wnids = ids
    assert split_of(data).classes[:2] == (expected, "heron, egret")


class Files(torch.utils.data.Dataset):
    """Images of Pillow, as a data set gives them that opens files by itself."""

    classes, transform = ["a", "b"], transforms.ToTensor()

    def __init__(self, *images):
        self.images, self.targets = images, torch.arange(len(images)) % 2

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.transform(self.images[i]) if self.transform else self.images[i], int(self.targets[i])


@pytest.mark.parametrize("with_transform", [True, False])
def test_deep_and_transparent_images_are_decoded_as_elsewhere(with_transform):
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    data = Files(*[Image.fromarray(ramp)] * 2)
    data.transform = data.transform if with_transform else None
    assert np.array_equal(split_of(data).images[0, 0].numpy(), ramp >> 8)
    hidden = np.zeros((8, 8, 4), np.uint8)
    hidden[..., 0] = 255
    data = Files(*[Image.fromarray(hidden)] * 2)
    data.transform = data.transform if with_transform else None
    assert (split_of(data).images == 255).all(), "white behind, and no hidden red"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((1, 8, 8), 300), "image 1 has whole numbers from 300 to 300, expected 0 to 255"),
        (torch.full((1, 8, 8), -1, dtype=torch.int16), "image 1 has whole numbers from -1 to -1"),
        (
            Image.fromarray(np.full((8, 8), 70_000, np.int32)),
            r"image 1 cannot be read .*numbers of 32 bits",
        ),
        (
            Image.fromarray(np.full((8, 8), 2, np.float32)),
            r"image 1 cannot be read .*floating-point numbers from 2",
        ),
    ],
)
def test_images_beyond_eight_bits_are_refused_by_their_position(image, message):
    whole = torch.zeros(1, 8, 8, dtype=torch.uint8) if isinstance(image, torch.Tensor) else Image.new("L", (8, 8))
    data = Files(whole, image)
    data.transform = None
    with pytest.raises(DataError, match=message):
        split_of(data)


def test_the_files_of_torchvisions_folders_are_decoded_as_elsewhere(tmp_path):
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(ramp).save(tmp_path / name / "0.png")
    data = datasets.ImageFolder(tmp_path, transforms.ToTensor())
    assert np.array_equal(split_of(data).images[0].numpy(), np.stack([ramp >> 8] * 3))


def test_arrays_with_the_channels_last_are_images():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    data = Files(pixels, pixels)
    data.transform = None
    assert np.array_equal(split_of(data).images[0].numpy(), pixels.transpose(2, 0, 1))
