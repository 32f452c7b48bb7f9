"""`drd-plugin check` on the command line: its page, its files and its exit code."""

import json

import numpy as np
import pytest
from PIL import Image

from drd_plugin.cli import main


def noise(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3)).astype(np.uint8))


@pytest.fixture
def root(tmp_path):
    """A folder of 2 classes without any finding."""
    for split, n, first in (("train", 8, 0), ("val", 3, 100)):
        for c, name in enumerate(("cat", "dog")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(n):
                noise(first + 2 * i + c).save(tmp_path / "data" / split / name / f"{i}.png")
    return tmp_path / "data"


def check(*arguments):
    """The exit code."""
    try:
        main(["check", *map(str, arguments)])
    except SystemExit as stopped:
        return stopped.code
    return 0


def test_a_clean_set_has_exit_code_0(root, capsys):
    assert check("--dataset", "image_folder", "--root", root) == 0
    page = capsys.readouterr().out
    assert f"image_folder in {root}: 16 training images, 8 a class, 6 test images, 3 a class, 2 classes" in page
    assert "Nothing was found that makes results wrong, or that one should know." in page


def test_what_one_should_know_has_exit_code_0_too(root, capsys):
    Image.new("RGB", (9, 9)).save(root / "train/cat/black.png")
    assert check("--dataset", "image_folder", "--root", root) == 0
    page = capsys.readouterr().out
    assert "1 image of one colour\n      train/cat/black.png (cat)\n" in page
    assert "Nothing was found that makes results wrong." in page


def test_what_makes_results_wrong_has_exit_code_1_and_is_written(root, tmp_path, capsys):
    (root / "train/cat/x.jpg").write_bytes(b"x")
    noise(100).save(root / "train/dog/y.png")
    files = ("--json", tmp_path / "new" / "check.json", "--html", tmp_path / "check.html")
    assert check("--dataset", "image_folder", "--root", root, *files) == 1
    page = capsys.readouterr().out
    assert "1 image that cannot be read" in page
    assert "train/dog/y.png (dog) = val/cat/0.png (cat)" in page
    content = json.loads((tmp_path / "new" / "check.json").read_text())
    assert content["wrong"] is True
    assert content["sizes"]["train"] == {"cat": 9, "dog": 9}
    findings = {finding["name"]: finding for finding in content["findings"]}
    assert findings.keys() == {"unreadable", "in-both-splits", "different-labels"}
    assert findings["unreadable"]["groups"][0][0]["name"] == "train/cat/x.jpg"
    assert [share["fraction"] for share in content["shares"]] == [0.01, 0.1, 0.3]
    html = (tmp_path / "check.html").read_text()
    assert "train/dog/y.png" in html
    assert html.count("data:image/png;base64") == 4


def test_a_fraction_that_loses_a_class(root, capsys):
    assert check("--dataset", "image_folder", "--root", root, "--fractions", "0.5", "0.06") == 1
    assert "1 class lost where 0.06 is kept, 1 example" in capsys.readouterr().out


def test_sets_of_images_in_memory_and_of_texts(capsys):
    assert check("--dataset", "digits") == 0
    assert "1,437 training images" in capsys.readouterr().out
    assert check("--dataset", "wordnet_glosses", "--size", "9") != 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "digitz"), "unknown data set 'digitz'"),
        (("--dataset", "image_folder"), "image_folder needs a root"),
        (("--dataset", "image_folder", "--root", "nowhere"), "does not exist"),
        (("--dataset", "digits", "--label", "x"), "no settings beside"),
        (("--dataset", "digits", "--fractions", "1.5"), "in (0, 1]"),
        (("--dataset", "digits", "--fractions", "nan"), "in (0, 1]"),
        (("--dataset", "digits", "--json", "."), "is a folder"),
        (("--dataset", "digits", "--html", "file/x.html"), "is not a folder"),
        (("--dataset", "image_folder", "--root", ".", "--mode", "cmyk"), "expected rgb or grey"),
        (("--dataset", "image_folder", "--root", ".", "--background", "no"), "expected a colour"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drd_plugin.data.audit.check.read_all", lambda *_: pytest.fail("read"))
    (tmp_path / "file").touch()
    code = check(*arguments)
    assert str(code).startswith("drd-plugin: ")
    assert message in str(code)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
