"""The one decoder: the same pixels through every route, and a right picture for each mode, format and orientation."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torchvision.transforms import Compose, Normalize, ToTensor

from drd_plugin.data import DataError, from_arrays, load
from drd_plugin.data.decoding import Decoding, decode, open_image, readable_endings
from drd_plugin.deepcore import split_of

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I;16", "F", "La")
FORMATS = {
    "AVIF": "avif", "BMP": "bmp", "GIF": "gif", "ICO": "ico", "JPEG": "jpg", "JPEG2000": "jp2", "PCX": "pcx",
    "PNG": "png", "PPM": "ppm", "SGI": "sgi", "TGA": "tga", "TIFF": "tif", "WEBP": "webp", "IM": "im",
    "MSP": "msp", "QOI": "qoi", "DDS": "dds", "XBM": "xbm",
}  # fmt: skip
SIZE = 16


def in_mode(mode, seed):
    """A picture of noise in one of Pillow's modes."""
    rng = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, (SIZE, SIZE)).astype(np.uint16))
    if mode == "F":
        return Image.fromarray(rng.random((SIZE, SIZE)).astype(np.float32))
    if mode in ("La", "RGBa", "PA"):
        whole = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}[mode]
        image = in_mode(whole, seed)
        return image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    if mode in ("P", "1"):
        return in_mode("RGB", seed).convert(mode)
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = rng.integers(0, 256, (SIZE, SIZE, bands)).astype(np.uint8)
    return Image.frombytes(mode, (SIZE, SIZE), pixels.tobytes())


def files_of_all_kinds():
    """The contents of four pictures for each mode and format that Pillow writes, by mode and format."""
    for mode in MODES:
        for form in FORMATS:
            contents = []
            for seed in range(4):
                file = io.BytesIO()
                try:
                    in_mode(mode, seed).save(file, form, **({"sizes": [(SIZE, SIZE)]} if form == "ICO" else {}))
                except (OSError, ValueError, KeyError):
                    break
                contents.append(file.getvalue())
            if len(contents) == 4:
                yield pytest.param(FORMATS[form], contents, id=f"{mode} as {form}")


class Pictures(torch.utils.data.Dataset):
    """The pictures in some files, as Pillow opens them, as a data set of DeepCore's kind."""

    classes, transform = ["a", "b"], Compose([ToTensor(), Normalize(0.5, 0.5)])

    def __init__(self, paths):
        self.paths, self.targets = paths, torch.tensor([0, 0, 1, 1])

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.transform(Image.open(self.paths[i])), int(self.targets[i])


@pytest.mark.parametrize(("ending", "contents"), files_of_all_kinds())
def test_the_same_picture_gives_the_same_pixels_through_every_route(tmp_path, ending, contents):
    datasets = pytest.importorskip("datasets")
    for part in ("train", "val"):
        for i, content in enumerate(contents):
            path = tmp_path / "tree" / part / "ab"[i // 2] / f"{i}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = {"image": [{"bytes": c, "path": None} for c in contents], "label": [0, 0, 1, 1]}
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(tmp_path / "hub")

    hub = load("hf:x", tmp_path / "hub").train
    mode = "rgb" if hub.shape[0] == 3 else "grey"
    folder = load("image_folder", tmp_path / "tree", SIZE, mode=mode).train
    deepcore = split_of(Pictures(folder.images.paths))
    arrays = []
    for content in contents:
        with open_image(content, "x") as image:
            arrays.append(np.atleast_3d(np.asarray(decode(image, mode).image)).transpose(2, 0, 1))
    array = from_arrays("x", np.stack(arrays), [0, 0, 1, 1])
    for split in (hub, deepcore, array):
        assert torch.equal(split.images[torch.arange(4)], folder.images[torch.arange(4)]), split.name


@pytest.mark.parametrize("background", ["white", "#204060"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La", "P", "RGB"])
def test_transparency_is_laid_on_the_background(mode, background):
    """alpha x + (1 - alpha) background, whatever colour hides behind a pixel that is not visible."""
    colour = np.array(Image.new("RGB", (1, 1), background).getpixel((0, 0)))
    if mode in ("P", "RGB"):
        alpha = np.where(np.arange(16) < 8, 0, 255)
        image = Image.fromarray(np.where(alpha[None, :, None] == 0, (255, 0, 0), (90, 90, 90)).astype(np.uint8))
        hidden = (255, 0, 0)
        if mode == "P":
            image = image.quantize(2)
            hidden = image.getpixel((0, 0))
        image.info["transparency"] = hidden
    else:
        alpha = np.linspace(0, 255, 16).astype(int)
        pixels = np.full((1, 16, 4), 90, np.uint8)
        pixels[0, :, 3] = alpha
        image = Image.fromarray(pixels)
        for step in {"RGBA": (), "LA": ("LA",), "La": ("LA", "La"), "RGBa": ("RGBa",)}[mode]:
            image = image.convert(step)
    decoded, remarks = decode(image, "rgb", background)
    exact = 90 * alpha[:, None] / 255 + (1 - alpha[:, None] / 255) * colour
    assert np.abs(np.asarray(decoded)[0] - exact).max() <= 3
    assert "transparent" in remarks


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_stands_upright(form, orientation):
    """The stored picture is turned back: its upper left quarter white, the upper right one grey."""
    upright = np.zeros((64, 64), np.uint8)
    upright[:32, 32:], upright[:32, :32] = 128, 255
    undo = {2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
            5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
            8: [Image.Transpose.ROTATE_270]}  # fmt: skip
    image = Image.fromarray(upright).convert("RGB")
    for step in undo.get(orientation, []):
        image = image.transpose(step)
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(file, form, exif=exif)
    pixels, _ = square_of(file.getvalue(), Decoding(64, "grey"))
    assert np.abs(pixels[0].astype(int) - upright).mean() < 4


def square_of(content, decoding):
    with open_image(content, "the picture") as image:
        return decoding.square(image)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"nonsense", bytes(20)])
def test_broken_exif_data_cost_no_picture(exif):
    file, image = io.BytesIO(), in_mode("RGB", 0)
    image.save(file, "JPEG", exif=exif, quality=100, subsampling=0)
    pixels, _ = square_of(file.getvalue(), Decoding(SIZE))
    assert np.abs(pixels.transpose(1, 2, 0).astype(int) - np.asarray(image)).mean() < 3


def test_deep_grey_keeps_its_shades():
    ramp = np.linspace(0, 65535, 4096).reshape(64, 64)
    for pixels, form in (
        (ramp.astype(np.uint16), "PNG"),
        (ramp.astype(np.uint16), "TIFF"),
        (ramp.astype(np.uint16), "PPM"),
    ):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        decoded, remarks = square_of(file.getvalue(), Decoding(64, "grey"))
        assert np.array_equal(decoded[0], pixels >> 8), form
        assert "16 bits" in remarks
    for values in (ramp.astype(np.int32), (ramp / 65536 * 1.5).astype(np.float32), np.full((4, 4), np.nan, np.float32)):
        file = io.BytesIO()
        Image.fromarray(values).save(file, "TIFF")
        with pytest.raises(DataError, match=r"the picture cannot be read as an image \(it has .* with 8 or 16 bits"):
            square_of(file.getvalue(), Decoding(64))


def test_white_is_zero_in_a_deep_tiff():
    file, pixels = io.BytesIO(), np.array([[0, 65535], [65535, 0]], np.uint16)
    Image.fromarray(pixels).save(file, "TIFF", tiffinfo={262: 0})
    decoded, _ = square_of(file.getvalue(), Decoding(2, "grey"))
    assert decoded[0].tolist() == [[255, 0], [0, 255]]


def contents_that_break():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(file, "JPEG")
    jpeg = file.getvalue()
    return {
        "empty": b"", "text": b"<html>404</html>", "cut": jpeg[: len(jpeg) // 2], "head": jpeg[:20],
        "no picture inside": b"GIF89a" + bytes(30), "zeros": bytes(500),
    }  # fmt: skip


@pytest.mark.parametrize(("name", "content"), contents_that_break().items())
def test_what_cannot_be_read_is_named(name, content):
    with pytest.raises(DataError, match=r"the picture cannot be read as an image \(.+\): replace it, or leave it out"):
        square_of(content, Decoding(8))


def test_a_decompression_bomb_is_refused_and_a_cut_image_stays_refused(monkeypatch):
    file = io.BytesIO()
    in_mode("RGB", 0).save(file, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"the picture cannot be read as an image .*decompression bomb"):
        square_of(file.getvalue(), Decoding(8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    with pytest.raises(DataError, match="truncated"):
        square_of(file.getvalue()[:-40], Decoding(8))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size: expected a whole number of pixels, at least 1, got 0"),
        ({"size": 2.5}, "size: .*got 2.5"),
        ({"size": True}, "size: .*got True"),
        ({"size": float("nan")}, "size: .*got nan"),
        ({"size": "8"}, "size: .*got '8'"),
        ({"mode": "RGB"}, "mode: expected rgb or grey, got 'RGB'"),
        ({"background": "blanc"}, "background: expected a colour, white or #7f7f7f, got 'blanc'"),
        ({"background": 3}, "background: .*got 3"),
        ({"crop": "middle"}, "crop: expected fit or adm, got 'middle'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(DataError, match=message):
        Decoding(**settings)


def test_what_is_done_to_pictures_is_logged_once_with_the_first_name(tmp_path, caplog):
    for part in ("train", "val"):
        for name in "ab":
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                in_mode("RGBA", i).save(tmp_path / part / name / f"{i}.png")
    images = load("image_folder", tmp_path, SIZE).train.images
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            _ = images[torch.arange(6)]
    [message] = caplog.messages
    assert "has transparent pixels, which are laid on white" in message
    assert message.startswith(str(tmp_path / "train"))


def test_the_endings_are_those_of_pictures():
    endings = readable_endings()
    assert {".jpg", ".jfif", ".png", ".tif", ".webp", ".pgm", ".avif"} <= endings
    assert not {".pdf", ".txt", ".mpg", ".eps", ".h5", ""} & endings


@pytest.mark.parametrize(("colours", "kind"), [(3, 2), (4, 6), (2, 4)])
def test_deep_colours_are_remarked_on(colours, kind):
    """PNG of 16 bits with colour, with colour and alpha, and with grey and alpha: the high bytes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (5, 7, colours)).astype(">u2")
    if colours != 3:
        pixels[..., -1] = 65535
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 7, 5, 16, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with open_image(content, "the picture") as image:
        decoded, remarks = decode(image, "rgb")
    expected = (pixels[..., :3] if colours > 2 else pixels[..., [0, 0, 0]]) >> 8
    assert np.abs(np.asarray(decoded).astype(int) - expected).max() <= 1
    assert "16 bits" in remarks
