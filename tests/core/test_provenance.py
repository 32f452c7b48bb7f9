"""Where numbers come from."""

import subprocess
from types import SimpleNamespace

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
