"""Git's files by a pinned commit: what a reference is, what git may not do, what is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from broker.errors import AwsLoginError, ConfigError, NetworkError
from broker.ports.git import MAX_FILE_BYTES, Repositories
from broker.ports.git_reference import Reference
from tests.repositories import Repository

PIN = "0123456789" * 4


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "team")


@pytest.fixture
def cache(tmp_path: Path) -> Repositories:
    return Repositories({"AWSLOGIN_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"})


def reference(text: str) -> Reference:
    found = Reference.parse(text)
    assert found, text
    return found


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (
            f"git+https://git.example.com/team/a.git@{PIN}#x.yaml",
            "https://git.example.com/team/a.git",
        ),
        (f"git+ssh://git@git.example.com/a.git@{PIN}#d/x.yaml", "ssh://git@git.example.com/a.git"),
        (f"git+file:///srv/a.git@{PIN}#x.yaml", "file:///srv/a.git"),
        (f"git+ssh://[::1]:2222/a.git@{PIN}#x.yaml", "ssh://[::1]:2222/a.git"),
        (f"git+http://127.0.0.1:8080/a.git@{PIN}#x.yaml", "http://127.0.0.1:8080/a.git"),
    ],
)
def test_what_is_a_reference(text: str, url: str) -> None:
    found = reference(text)
    assert (found.url, found.revision) == (url, PIN)
    assert str(found) == text
    assert found.is_pinned


@pytest.mark.parametrize(
    "text",
    [
        f"git+http://git.example.com/a.git@{PIN}#x",
        f"git+ext::sh -c id@{PIN}#x",
        f"git+https://-oProxyCommand=id/a@{PIN}#x",
        f"git+ssh://-oProxyCommand=id/a@{PIN}#x",
        f"git+https://ann:secret@git.example.com/a@{PIN}#x",
        f"git+https://git.example.com/a@{PIN}#../x",
        f"git+https://git.example.com/a@{PIN}#/x",
        f"git+https://git.example.com/a@{PIN}#",
        "git+https://git.example.com/a@--upload-pack=id#x",
        f"git+https://git.example.com/a@{PIN}",
        "git+https://git.example.com/a#x",
        f"git+https:///a@{PIN}#x",
        f"https://git.example.com/a@{PIN}#x",
        f"git+ssh://git@-oProxyCommand=id/a@{PIN}#x",
        f"git+ssh://-l@git.example.com/a@{PIN}#x",
        f"git+git://git.example.com/a@{PIN}#x",
        f"git+file://srv/a@{PIN}#x",
        f"git+file://@{PIN}#x",
        f"git+https://git.example.com/a\x1b[31m@{PIN}#x",
        f"git+https://git.example.com/a@{PIN}#x\u202e",
        f"git+https://git.example.com/a@{PIN}#x\0",
    ],
)
def test_what_is_none(text: str) -> None:
    assert Reference.parse(text) is None


@pytest.mark.parametrize("revision", ["main", "v1.2", PIN[:12], PIN.upper().replace("0", "A")])
def test_what_is_no_pin(revision: str) -> None:
    assert not reference(f"git+https://git.example.com/a@{revision}#x").is_pinned


def test_a_commit_is_fetched_once(repository: Repository, cache: Repositories) -> None:
    old = repository.commit(team="old")
    new = repository.commit(team="new")
    for commit, text in ((old, b"old"), (new, b"new")):
        wanted = reference(repository.at(commit))
        with pytest.raises(ConfigError, match="not been fetched") as failed:
            cache.read(wanted)
        assert "config update" in failed.value.hint
        cache.fetch(wanted)
        assert cache.read(wanted) == text
    shutil.rmtree(repository.folder)  # from now on the cache alone
    assert cache.read(reference(repository.at(old))) == b"old"
    cache.fetch(reference(repository.at(new)))


def test_the_newest_commit_of_a_branch(repository: Repository, cache: Repositories) -> None:
    old = repository.commit(team="old")
    repository.git("tag", "-a", "v1", "-m", "v1")
    new = repository.commit(team="new")
    wanted = reference(repository.at("main"))
    assert cache.newest(wanted) == cache.newest(wanted, "main") == new
    assert cache.newest(wanted, "v1") == old
    with pytest.raises(ConfigError, match="no branch or tag"):
        cache.newest(wanted, "nope")


def test_links_and_folders_are_no_files(repository: Repository, cache: Repositories) -> None:
    (repository.folder / "link.yaml").symlink_to("/etc/passwd")
    (repository.folder / "folder").symlink_to("/etc")
    commit = repository.commit(sub__team="x")
    cache.fetch(reference(repository.at(commit)))
    for file in ("link.yaml", "folder/passwd", "sub", "missing.yaml"):
        with pytest.raises(ConfigError, match=r"is a link|no file"):
            cache.read(reference(repository.at(commit, file)))


def test_what_cannot_be_reached(tmp_path: Path, cache: Repositories) -> None:
    gone = reference(f"git+file://{tmp_path}/gone@{PIN}#x.yaml")
    with pytest.raises(NetworkError):
        cache.fetch(gone)
    closed = reference(f"git+http://127.0.0.1:9/a@{PIN}#x.yaml")
    with pytest.raises(NetworkError):
        cache.newest(closed)


def test_a_commit_that_is_not_there(repository: Repository, cache: Repositories) -> None:
    repository.commit(team="x")
    with pytest.raises(AwsLoginError):
        cache.fetch(reference(repository.at(PIN)))


def test_a_tag_is_no_commit(repository: Repository, cache: Repositories) -> None:
    repository.commit(team="x")
    repository.git("tag", "-a", "v1", "-m", "v1")
    for name, kind in (("v1", "tag"), ("v1^{tree}", "tree"), ("v1:team.yaml", "blob")):
        wanted = reference(repository.at(repository.git("rev-parse", name)))
        with pytest.raises(ConfigError, match=f"is a {kind} of .* not a commit") as failed:
            cache.fetch(wanted)
        assert "config update" in failed.value.hint
        with pytest.raises(ConfigError):
            cache.read(wanted)


def test_a_file_is_named_as_it_is(repository: Repository, cache: Repositories) -> None:
    commit = repository.commit(a="a", **{"[a]": "brackets", ":(glob)*": "magic", "-x": "dash"})
    cache.fetch(reference(repository.at(commit)))
    for name, text in (("[a]", b"brackets"), (":(glob)*", b"magic"), ("-x", b"dash")):
        assert cache.read(reference(repository.at(commit, f"{name}.yaml"))) == text
    for name in ("*.yaml", ":/a.yaml", "a.yam?"):
        with pytest.raises(ConfigError, match="no file"):
            cache.read(reference(repository.at(commit, name)))


def test_a_large_file_is_not_read(repository: Repository, cache: Repositories) -> None:
    commit = repository.commit(team="x" * (MAX_FILE_BYTES + 1))
    cache.fetch(reference(repository.at(commit)))
    with pytest.raises(ConfigError, match="larger than it may be"):
        cache.read(reference(repository.at(commit)))


def test_a_large_repository_is_not_fetched(
    repository: Repository, cache: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ports.git.MAX_PACK_BLOCKS", 8)
    digits = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(2000))
    commit = repository.commit(team=digits)
    with pytest.raises(ConfigError, match="larger than it may be"):
        cache.fetch(reference(repository.at(commit)))
    left = list((tmp_path / "home").glob("repositories/*/objects/pack/tmp_*"))
    for path in left:
        os.utime(path, (0, 0))
    monkeypatch.undo()
    cache.fetch(reference(repository.at(commit)))
    assert not any(path.exists() for path in left)


def test_a_repository_of_sha_256_and_a_short_hash_are_told(
    repository: Repository, cache: Repositories, tmp_path: Path
) -> None:
    short = repository.commit(team="x")[:10]
    with pytest.raises(ConfigError) as failed:
        cache.newest(reference(repository.at(short)), short)
    assert f"git rev-parse {short}" in failed.value.hint
    other = Repository(tmp_path / "other", "--object-format=sha256")
    commit = other.commit(team="x")
    with pytest.raises(ConfigError, match="SHA-256"):
        cache.newest(reference(other.at("main")))
    assert not reference(other.at(commit)).is_pinned


def test_no_setting_of_a_repository_that_it_stands_in_counts(
    repository: Repository, cache: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit(team="mine")
    theirs = Repository(tmp_path / "theirs")
    theirs.commit(team="theirs")
    theirs.git("config", f"url.{theirs.folder}.insteadOf", f"file://{repository.folder}")
    monkeypatch.chdir(theirs.folder)
    assert cache.newest(reference(repository.at("main"))) == commit


def test_no_git_of_the_working_directory_runs(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit(team="x")
    proof = tmp_path / "ran"
    (tmp_path / "git").write_text(f"#!/bin/sh\ntouch {proof}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    environ = {"AWSLOGIN_HOME": str(tmp_path / "home"), "PATH": ".::/usr/bin:/bin"}
    environ["GIT_DIR"] = str(tmp_path)
    Repositories(environ).fetch(reference(repository.at(commit)))
    assert not proof.exists()
