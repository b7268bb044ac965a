"""Files are written whole, and what a killed writer left goes with the next write."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.paths import write_private
from broker.whole_files import OLD_SECONDS, write_new, write_whole
from tests.support import PATIENCE

KILLED = """
import os, signal, sys
from pathlib import Path
from broker import whole_files
whole_files.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
whole_files.write_whole(Path(sys.argv[1]), b"every plain key")
"""


def test_a_killed_writer_leaves_nothing_for_long(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(b"before")
    died = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 2
    write_private(tmp_path / "another", b"x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["another", "credentials"]


def test_only_what_is_ours_and_left_behind_goes(tmp_path: Path) -> None:
    written = tmp_path / ".x.awslogin-0123456789abcdef"
    held = tmp_path / ".y.awslogin-0123456789abcdef"
    young, old = tmp_path / ".config.abcd_123", tmp_path / ".config.abcd_124"
    others = [tmp_path / name for name in (".config.swp", ".other.abcd_123", "config.bak")]
    (tmp_path / ".z.awslogin-0123456789abcdef").symlink_to(others[0])
    for path in (written, held, young, old, *others):
        path.write_bytes(b"x")
    for path in (old, *others):
        os.utime(path, (time.time() - OLD_SECONDS - 60,) * 2)
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_whole(tmp_path / "config", b"new")
    left = {path.name for path in tmp_path.iterdir()}
    assert written.name not in left
    assert old.name not in left
    assert {held.name, young.name, *(path.name for path in others)} <= left
    assert (tmp_path / ".z.awslogin-0123456789abcdef").is_symlink()


def test_many_writers_at_once_each_write_the_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from broker.whole_files import write_whole\n"
        "for _ in range(200): write_whole(Path(sys.argv[1]), sys.argv[2].encode() * 5000)"
    )
    path = tmp_path / "file"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), word]) for word in "abc"]
    assert [writer.wait(PATIENCE) for writer in writers] == [0, 0, 0]
    assert path.read_bytes() in {word * 5000 for word in (b"a", b"b", b"c")}
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_new_file_follows_nothing_and_is_ours_alone(tmp_path: Path) -> None:
    target, link, wide = tmp_path / "target", tmp_path / "link", tmp_path / "wide"
    target.write_bytes(b"mine")
    link.symlink_to(target)
    with pytest.raises(OSError, match="no regular file"):
        write_new(link, b"page")
    assert target.read_bytes() == b"mine"
    wide.write_bytes(b"")
    wide.chmod(0o666)
    reader = wide.open("rb")
    write_new(wide, b"page")
    assert wide.stat().st_mode & 0o777 == 0o600
    assert reader.read() == b""
    reader.close()
