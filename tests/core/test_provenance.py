"""Where numbers come from."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import drd_plugin
from drd_plugin.core import provenance


def test_the_commit_is_the_checkouts_or_else_what_pip_noted(tmp_path, monkeypatch):
    noted = {"text": '{"url": "https://example.org/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'}
    monkeypatch.setattr(provenance, "distribution", lambda name: SimpleNamespace(read_text=lambda path: noted["text"]))
    assert provenance.git_commit.__wrapped__(tmp_path) == "abc"
    for text in (None, '{"url": "file:///x", "dir_info": {}}'):
        noted["text"] = text
        assert provenance.git_commit.__wrapped__(tmp_path) is None

    def git(*command):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *command], check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-qm", "first")
    commit = provenance.git_commit.__wrapped__(tmp_path)
    assert len(commit) == 40
    (tmp_path / "file").write_text("two")
    assert provenance.git_commit.__wrapped__(tmp_path) == f"{commit}-dirty"


def test_the_commit_is_by_default_that_of_the_folder_around_the_package():
    checkout = Path(drd_plugin.__file__).parents[1]
    commit = provenance.git_commit()
    assert commit == provenance.git_commit(checkout)
    if (checkout / ".git").exists():
        head = ["git", "-C", checkout, "rev-parse", "HEAD"]
        assert commit.removesuffix("-dirty") == subprocess.check_output(head, text=True).strip()
