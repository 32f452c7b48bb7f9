"""Files that appear complete or not at all, places that cannot be written, and JSON that cannot be read."""

import errno
import json
import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from drd_plugin.artifacts import (
    ArtifactError,
    Features,
    Scores,
    Subset,
    check_writable,
    read_json,
    read_text,
    write_aside,
)
from drd_plugin.artifacts.files import save_tensors

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("place", ["new", "new/in/new", "there", "there/new", "here.json", "name with spaces/é"])
def test_what_can_be_written_is_left_as_it_was(tmp_path, place, folder):
    (tmp_path / "there").mkdir()
    before = sorted(tmp_path.rglob("*"))
    if place == "there" and not folder:
        with pytest.raises(ArtifactError, match="there is a folder, and a file is to be written"):
            check_writable(tmp_path / place, folder)
    else:
        check_writable(tmp_path / place, folder)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file/x", "file is not a folder"),
        ("file/x/y", "file is not a folder"),
        ("dangling/x", "dangling is not a folder"),
        ("loop/x", "loop is not a folder"),
        ("n" * 300 + "/x", "File name too long"),
        ("new/" + "n" * 300 + "/x", "File name too long"),
        ("/proc/x/y", "cannot be written"),
        ("/dev/null/x", "null is not a folder"),
    ],
)
def test_what_cannot_be_written_is_found_out(tmp_path, place, words, folder):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArtifactError, match=words):
        check_writable(tmp_path / place, folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_in_the_place_of_a_folder_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="file is not a folder"):
        check_writable(tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"^file/x cannot be written, since .*/file is not a folder: give another"):
        check_writable(Path("file/x"))
    check_writable(Path("."))
    check_writable(Path("file"), folder=False)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_so_is_a_place_where_nothing_may_be_written(tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "touch", refuse)
    for place, folder in (("new/folder", True), (".", True), ("file", False)):
        with pytest.raises(ArtifactError, match=os.strerror(error)):
            check_writable(tmp_path / place, folder)


def write(path, error=None, first=False):
    """Writes a file aside, during which an error may come."""
    with write_aside(path, first) as aside:
        aside.write_text("half")
        if error is not None:
            raise error


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_full_disk_leaves_what_was_there_and_names_the_file(tmp_path, first, old):
    path = tmp_path / "in" / "a.json"
    if old:
        path.parent.mkdir()
        path.write_text(old)
    with pytest.raises(OSError, match=r"in/a\.json cannot be written \(No space left on device\)"):
        write(path, FULL, first)
    assert [file.name for file in path.parent.iterdir()] == (["a.json"] if old else [])
    assert not old or path.read_text() == old


def test_so_does_one_that_is_full_when_the_file_is_put_in_place(tmp_path, monkeypatch):
    def full(*_):
        raise FULL

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"a\.json cannot be written \(No space left on device\)"):
        write(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "save",
    [
        pytest.param(lambda path: Subset(np.arange(3), 9, "Mine", "made:up").save(path), id="subset"),
        pytest.param(lambda path: save_tensors({"a": torch.zeros(9)}, path), id="tensors"),
        pytest.param(lambda path: Features(np.ones((3, 2)), "made:up").save(path), id="features"),
        pytest.param(
            lambda path: Scores("M", np.ones((3, 1)), np.zeros(3), True, "a:b").save(path.parent), id="scores"
        ),
    ],
)
def test_every_artefact_says_which_file_cannot_be_written(tmp_path, save):
    """The limit on the size of a file is that of this process, as a full disk is."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match=rf"{tmp_path}/in/(a|part-00000-of-00001).* cannot be written \(") as failed:
            save(tmp_path / "in" / "a.x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ".tmp" not in str(failed.value)
    assert not [*(tmp_path / "in").iterdir()]


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match=r"file/a\.json cannot be written \((File exists|Not a directory)"):
        write(tmp_path / "file" / "a.json")


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(KeyError, match="mine"):
        write(tmp_path / "a", KeyError("mine"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_are_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    path, content = tmp_path / "a.json", {"name": "Ünïcödé 漢字", "n": [1, 2]}
    path.write_bytes((json.dumps(content, ensure_ascii=False) + "\r\n").encode(encoding))
    assert read_json(path, "", "name") == content
    assert read_text(path).endswith("}\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b'{"a": 1, "b"', "Expecting"),
        (b'{"a": 1} {"a": 2}', "Extra data"),
        (b"\x00\x00\x00", "Expecting value"),
        (b"\xff\xfe\xfa", "decode"),
        (b"caf\xe9", "decode"),
        (b"[1, 2]", r"holds \[1, 2\], and no table"),
        (b"[]", r"holds \[\], and no table"),
        (b'"a text"', "no table"),
        (b"3.5", "no table"),
        (b"null", "holds None, and no table"),
        (b"true", "no table"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b'{"b": {"a": 1, "a": 1}}', "'a' is there twice"),
        (b"[" * 100_000, "recursion"),
        (b'{"b": 1}', "does not say the a"),
        (None, "No such file"),
    ],
)
def test_json_that_cannot_be_read_is_named_with_what_to_do(tmp_path, content, words):
    path = tmp_path / "about.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=words) as refused:
        read_json(path, "remove it", "a")
    assert str(refused.value).startswith(str(path))
    assert str(refused.value).endswith(": remove it.")


def test_a_folder_in_the_place_of_json_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="Is a directory"):
        read_json(tmp_path, "remove it")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "/elsewhere/x"), URLError("no network")])
def test_an_error_about_something_else_is_not_called_one_of_writing(tmp_path, error):
    with pytest.raises(type(error)) as raised, write_aside(tmp_path / "x"):
        raise error
    assert raised.value is error
    assert not list(tmp_path.iterdir())
