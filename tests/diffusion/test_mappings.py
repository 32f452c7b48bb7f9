"""Files that map class names to a model's numbers, and the other JSON of a denoiser's folder, as they come."""

import json
import shutil

import pytest
import torch

from drd_plugin.artifacts import ArtifactError
from drd_plugin.cli import main
from drd_plugin.diffusion import DenoiserError, class_ids, load_denoiser
from drd_plugin.diffusion.denoisers.classes import read_mapping
from drd_plugin.diffusion.fitting.fit import fit_denoiser
from drd_plugin.diffusion.fitting.settings import Fit
from drd_plugin.diffusion.timesteps.competitors import near_classes

TEN = {str(digit): digit for digit in range(10)}


@pytest.mark.parametrize("name", ["map.json", "map.JSON", "map.toml", "map.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_mappings_are_read_with_and_without_a_mark(tmp_path, name, encoding):
    path = tmp_path / name
    lines = "".join(f'"{key}" = {value}\n' for key, value in TEN.items())
    path.write_text(json.dumps(TEN) if name.lower().endswith("json") else lines, encoding)
    assert read_mapping(path) == TEN


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("[]", "holds"),
        ("[0, 1]", "holds"),
        ("3", "holds"),
        ("null", "holds"),
        ('"0"', "holds"),
        ('{"0": 0', "cannot be read as JSON"),
        ('{"0": 0, "0": 1}', "'0' is there twice"),
        ('{"0": "zero"}', "for '0', got 'zero'"),
        ('{"0": 1.0}', "for '0', got 1.0"),
        ('{"0": true}', "for '0', got True"),
        ('{"0": null}', "for '0', got None"),
        ('{"0": [0]}', r"for '0', got \[0\]"),
        ('{"0": {"1": 1}}', "for '0', got {"),
    ],
)
def test_what_is_no_mapping_is_refused_by_its_file(tmp_path, content, words):
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(DenoiserError, match=words) as refused:
        read_mapping(path)
    assert "map.json" in str(refused.value)


@pytest.mark.parametrize("content", ["[0, 1]", "zero", "0 =", '"0" = 0\n"0" = 1', '"0" = 1979-05-27', '"0" = "a"'])
def test_so_is_toml(tmp_path, content):
    path = tmp_path / "map.toml"
    path.write_text(content)
    with pytest.raises(DenoiserError, match=r"map\.toml"):
        read_mapping(path)


@pytest.mark.parametrize("place", ["nowhere.json", "nowhere.toml", "."])
def test_so_is_a_file_that_is_not_there(tmp_path, place):
    with pytest.raises(DenoiserError, match="the mapping of classes"):
        read_mapping(tmp_path / place)


@pytest.mark.parametrize("number", [-1, 10, 2**70])
def test_a_number_that_the_model_lacks_is_refused_by_file_and_class(digits, digits_denoiser, tmp_path, number):
    (tmp_path / "map.json").write_text(json.dumps({**TEN, "7": number}))
    with pytest.raises(DenoiserError, match=rf"0 to 9, but the mapping .*map\.json gives '7' the number {number}"):
        class_ids(digits_denoiser.inner, digits.train, str(tmp_path / "map.json"))


def test_names_that_are_no_classes_are_counted_and_named(digits, digits_denoiser, tmp_path, caplog):
    (tmp_path / "map.json").write_text(json.dumps({**TEN, "ten": 3, "eleven": 4}))
    assert class_ids(digits_denoiser.inner, digits.train, str(tmp_path / "map.json")) == list(range(10))
    assert "map.json: 2 names are no classes of digits: eleven, ten" in caplog.text
    del TEN["3"]
    (tmp_path / "map.json").write_text(json.dumps(TEN))
    TEN["3"] = 3
    with pytest.raises(DenoiserError, match="none for 1 of the 10 classes"):
        class_ids(digits_denoiser.inner, digits.train, str(tmp_path / "map.json"))


@pytest.mark.parametrize("content", ["[0, 1]", "3", '{"0": "a"}', '{"0": 99}', "{}", ""])
def test_the_command_line_refuses_them_without_a_traceback(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.json").write_text(content)
    score = ["score", "ELBO", "--dataset", "digits", "--labels", "map.json", "--draws", "1", "--out", "out"]
    for more in ([], ["--dry-run"]):
        with pytest.raises(SystemExit, match=r"^drd-plugin: .*map\.json"):
            main([*score, *more])


@pytest.mark.parametrize("content", ["", "[]", "3", '{"classes": ', '{"fit": 1, "fit": 2}'])
@pytest.mark.parametrize("name", ["card.json", "unet/config.json"])
def test_damaged_json_in_a_folder_of_a_denoiser_is_named(fitted_unet, tmp_path, name, content):
    shutil.copytree(fitted_unet.folder, tmp_path / "denoiser")
    (tmp_path / "denoiser" / name).write_text(content)
    with pytest.raises(DenoiserError, match=name):
        load_denoiser(tmp_path / "denoiser", torch.device("cpu"))


@pytest.mark.parametrize("content", ["", "[]", '{"0": 3}', '{"0": '])
def test_damaged_lists_of_competitors_are_named(digits, tmp_path, content):
    (tmp_path / "near.json").write_text(content)
    with pytest.raises(DenoiserError, match=r"near\.json"):
        near_classes(str(tmp_path / "near.json"), digits.train)


@pytest.mark.parametrize("seed", [-1, 2**64, 2**64 - 1])
def test_the_seed_of_a_fit_is_checked_before_it_begins(tiny, tmp_path, monkeypatch, seed):
    monkeypatch.setattr(
        "drd_plugin.diffusion.fitting.train.Training.run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    if seed == 2**64 - 1:
        with pytest.raises(KeyboardInterrupt):
            fit_denoiser(tiny, tmp_path / "out", Fit(seed=seed, channels=(8, 16)), device="cpu", progress=False)
        return
    with pytest.raises(ValueError, match="seed"):
        fit_denoiser(tiny, tmp_path / "out", Fit(seed=seed, channels=(8, 16)), device="cpu", progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/x", "/proc/x"])
def test_a_fit_into_a_place_that_cannot_be_written_does_not_begin(tiny, tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("drd_plugin.diffusion.fitting.fit.Training", lambda *_: pytest.fail("it trains"))
    with pytest.raises(ArtifactError, match="cannot be written"):
        fit_denoiser(tiny, tmp_path / place, Fit(epochs=1, channels=(8, 16)), device="cpu", progress=False)
