"""The data sets that DeepCore lacks, as its 8-tuples."""

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.data import DataError, load
from drd_plugin.deepcore import split_of
from drd_plugin.deepcore.datasets import Digits, ImageNette, ImageWoof, enlarged


def test_the_digits_are_enlarged_and_normalised():
    channel, im_size, num_classes, class_names, mean, std, train, test = Digits("nowhere")
    assert (channel, im_size, num_classes, len(class_names)) == (1, (28, 28), 10, 10)
    assert (len(train), len(test), len(train.targets), train.classes) == (1437, 360, 1437, class_names)
    pixels = torch.stack([image for image, _ in train])
    assert (pixels.shape, pixels.dtype) == ((1437, 1, 28, 28), torch.float32)
    assert abs(float(pixels.mean())) < 1e-3
    assert abs(float(pixels.std()) - 1) < 1e-2
    raw = enlarged(load("digits").train, 28).images[7].float() / 255
    assert torch.allclose(train[7][0], (raw - mean[0]) / std[0], atol=1e-5)
    assert train[7][1] == load("digits").train.labels[7]


@pytest.mark.parametrize(("make", "folder"), [(ImageNette, "imagenette2-160"), (ImageWoof, "imagewoof2")])
def test_folders_of_imagenets_family_are_read_at_224_pixels(make, folder, tmp_path):
    for part, count in (("train", 4), ("val", 2)):
        for wnid in ("n01440764", "n02102040"):
            (tmp_path / folder / part / wnid).mkdir(parents=True)
            for i in range(count):
                image = np.full((40, 60, 3), 20 * i, np.uint8)
                Image.fromarray(image).save(tmp_path / folder / part / wnid / f"{i}.png")
    channel, im_size, num_classes, class_names, _mean, _std, train, test = make(str(tmp_path))
    assert (channel, im_size, num_classes, class_names) == (3, (224, 224), 2, ["n01440764", "n02102040"])
    assert (len(train), len(test)) == (8, 4)
    image, label = train[1]
    assert (image.shape, label) == ((3, 224, 224), 0)
    assert torch.allclose(image.mean((1, 2)), (20 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(_std))
    assert split_of(train).shape == (3, 224, 224)
    with pytest.raises(DataError, match=rf"found no {folder.split('-')[0]}\*/train under"):
        make(str(tmp_path / folder / "val"))
