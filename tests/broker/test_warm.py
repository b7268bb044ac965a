"""Which words are cheap, and how the sides of the socket frame what they say."""

from __future__ import annotations

import itertools
import os
import posixpath
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from broker import minimal_os, warm
from broker.cli.main import COMMANDS, root
from broker.warm import connect, is_private, receive, send, wanted


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("creds dev", ("dev", "process", "", True, False, 50.0, "")),
        ("creds dev --found f", ("dev", "process", "", True, False, 50.0, "f")),
        ("creds dev --config f --no-input", ("dev", "process", "f", False, False, 50.0, "")),
        ("creds --config=f dev --quiet", ("dev", "process", "f", True, True, 50.0, "")),
        ("creds dev --output json", ("dev", "process", "", True, False, 50.0, "")),
        ("env dev --output fish", ("dev", "fish", "", True, False, 300.0, "")),
        ("dev --output json", ("dev", "json", "", True, False, 300.0, "")),
        ("--output json dev", ("dev", "json", "", True, False, 300.0, "")),
        ("login list --output=env", ("list", "env", "", True, False, 300.0, "")),
    ],
)
def test_cheap_words(words: str, form: tuple[object, ...]) -> None:
    assert wanted(words.split()) == form


@pytest.mark.parametrize(
    "words",
    [
        "", "creds", "dev --output github", "creds dev --force", "creds dev more",
        "creds dev --min-ttl 1h", "creds dev --output bogus", "env", "list --output json",
        "exec dev -- x",
        "login --all --output json", "creds --help", "creds dev --", 'creds a"b', "creds dév",
        "agent status --output json", "doctor --output json", "login --output json",
        "creds dev --config", "creds dev --config=", "creds dev --config f --found f",
    ],
)  # fmt: skip
def test_other_words_are_the_full_programs(words: str) -> None:
    assert wanted(words.split()) is None


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("creds dev --config /x/awslogin.yaml", "creds dev --found /x/awslogin.yaml"),
        ("creds dev --config=/x/awslogin.yaml", "creds dev --found=/x/awslogin.yaml"),
        ("creds dev --config awslogin.yaml --quiet", "creds dev --found awslogin.yaml --quiet"),
        ("creds dev --config /x/config.yaml", "creds dev --config /x/config.yaml"),
        ("env dev --config /x/awslogin.yaml", "env dev --config /x/awslogin.yaml"),
        ("creds dev --config", "creds dev --config"),
        ("", ""),
    ],
)
def test_a_line_of_an_older_setup_holds_its_file_to_trust(words: str, read: str) -> None:
    assert warm.as_found(words.split()) == read.split()


WORDS = (
    "creds", "env", "login", "dev", "list", "--output", "--output=json", "json", "text", "bogus",
    "--config", "--config=f", "--config=", "--found=f", "--no-input", "--quiet", "--no-browser",
    "--", "-x", "",
)  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
def test_cheap_words_mean_what_the_full_program_takes_them_for(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for words in itertools.product(WORDS, repeat=count):
        form = wanted(list(words))
        if form:
            name, options = full_program(words)
            (profile,) = options.get("profiles") or (options["profile"],)
            output = options["output"] or "text"
            if name == "creds":
                output = "process"
            elif name == "env" and output == "text":
                output = warm.calling_shell()
            told = profile, output, options["config"] or "", not options["no_input"]
            assert (*told, options["quiet"]) == form[:5], words
            assert (options["found"] or "") == form[6], words


def full_program(words: tuple[str, ...]) -> tuple[str | None, dict[str, Any]]:
    """The command and its options, as click reads them."""
    context = root.make_context("awslogin", list(words))
    name, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
    assert command
    return name, command.make_context(name, rest, parent=context).params


def test_every_command_keeps_its_name() -> None:
    assert list(COMMANDS) == warm.COMMANDS


def test_frames() -> None:
    one, other = socket.socketpair()
    with one, other:
        send(one, b"get", b"", b"\xff" * 100_000)
        assert receive(other) == [b"get", b"", b"\xff" * 100_000]
        one.sendall(b"\0\0\0\5ab")
        one.close()
        assert receive(other) == []


def test_a_closed_standard_stream_is_not_replaced_by_the_socket(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    folder = tmp_path / "agent"
    folder.mkdir(mode=0o700)
    listener.bind(str(folder / "socket"))
    listener.listen()
    kept = os.dup(0)
    os.close(0)
    try:
        with pytest.raises(OSError, match="0"):
            connect(str(folder))
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        listener.close()


def test_private_is_a_folder_of_ours_that_nobody_else_can_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert is_private(str(tmp_path))
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert not is_private(str(link))
    for mode in (0o750, 0o705, 0o701):
        tmp_path.chmod(mode)
        assert not is_private(str(tmp_path))
    tmp_path.chmod(stat.S_IRWXU)


class TestLean:
    """What stands in for `os` where it would be too dear is the same."""

    @pytest.mark.parametrize("whole", ["/a/b", "/a", "/", "a", "", "//a", "/a//b", "a/b/", "///"])
    def test_paths(self, whole: str) -> None:
        assert minimal_os.path.dirname(whole) == posixpath.dirname(whole)
        for second in ("c", "/c", "", "c/d"):
            assert minimal_os.path.join(whole, second) == posixpath.join(whole, second)

    @pytest.mark.parametrize("whole", ["~", "~/a", "~root/a", "~nobody-here/a", "a~", "/~", ""])
    def test_home(self, whole: str) -> None:
        assert minimal_os.path.expanduser(whole) == posixpath.expanduser(whole)

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        (tmp_path / "loop").symlink_to("loop")
        for name in ("file", "link", "loop", "none", ".", "\0"):
            whole = str(tmp_path / name)
            assert warm.is_own_file(whole) == posixpath.isfile(whole)

    def test_bytes(self) -> None:
        for text in ("a", "ä", "\udcff", ""):
            assert minimal_os.fsencode(text) == os.fsencode(text)
            assert minimal_os.fsdecode(os.fsencode(text)) == text

    def test_variables(self) -> None:
        """As of the process's start: pytest's own changes are not seen."""
        assert minimal_os.environ.get("PATH") == os.environ.get("PATH")
        assert minimal_os.environ.get("NO_SUCH_VARIABLE") is None
        assert minimal_os.environ.get("NO_SUCH_VARIABLE", "x") == "x"
