"""AWS files that cannot be replaced: mounted by themselves, or a folder in their place."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import aws_files, whole_files
from broker.errors import UsageError
from tests.configs import config
from tests.support import Home

MINE = "[profile mine]\nregion = eu-north-1\n"


@pytest.fixture
def mounted(signed_up: Home) -> Iterator[Path]:
    """`~/.aws/config`, mounted by itself as into a container."""
    signed_up.config(config("dev"))
    outside, path = signed_up.folder / "outside", signed_up.folder / ".aws" / "config"
    path.parent.mkdir()
    outside.write_text(MINE)
    path.touch()
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "mount", "--bind", str(outside), str(path)], check=True)
    yield path
    subprocess.run([*root, "umount", str(path)], check=True)


def test_a_file_mounted_by_itself_is_written_in_place(mounted: Path, signed_up: Home) -> None:
    signed_up.run("setup").ok()
    written = mounted.read_text()
    assert written.startswith(MINE)
    assert "[profile dev]" in written
    assert (signed_up.folder / "outside").read_text() == written
    assert list((signed_up.folder / "awslogin" / "backups").iterdir()) == []
    assert [path.name for path in mounted.parent.iterdir()] == ["config"]
    signed_up.run("setup", "--remove").ok()
    assert mounted.read_text() == MINE


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose rename is refused as a mount's is."""

    def refuse(self: Path, target: Path) -> None:
        if target == path:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(target))
        os.rename(self, target)  # noqa: PTH104

    path = tmp_path / "config"
    path.write_text(MINE)
    monkeypatch.setenv("AWSLOGIN_HOME", str(tmp_path / "own"))
    monkeypatch.setattr(Path, "replace", refuse)
    return path


def test_a_write_that_fails_gives_the_old_content_back(
    busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    full = iter([False, False, True])  # the temporary file, the backup, then the file itself

    def fsync(handle: int) -> None:
        if next(full, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UsageError, match="No space left"):
        aws_files.write_back(busy, b"shorter")
    assert busy.read_text() == MINE
    assert not aws_files.backup_of(busy).exists()
    aws_files.write_back(busy, b"shorter")
    assert busy.read_bytes() == b"shorter"


def test_a_killed_write_leaves_the_old_content_which_is_never_written_over(
    busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(path: Path, content: bytes) -> None:
        path.write_bytes(content[:3])
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(whole_files, "_put", die)
        with pytest.raises(Killed):
            aws_files.write_back(busy, b"new content")
    backup = aws_files.backup_of(busy)
    assert backup.read_text() == MINE
    with pytest.raises(UsageError, match="interrupted") as refused:
        aws_files.write_back(busy, b"new content")
    assert f"`cp {backup} {busy}`" in refused.value.hint
    assert backup.read_text() == MINE


@pytest.mark.parametrize(
    ("name", "variable"),
    [("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")],
)
def test_a_folder_in_the_place_of_a_file_is_called_so(
    signed_up: Home, name: str, variable: str
) -> None:
    signed_up.config(config("dev"))
    (signed_up.folder / ".aws" / name).mkdir(parents=True)
    commands = [("setup",)] + ([("import", "aws-credentials")] if name == "credentials" else [])
    for words in commands:
        done = signed_up.run(*words)
        assert done.code == 2
        assert f".aws/{name} is not a file: it is a folder" in done.err
        assert variable in done.err
