"""What differs on macOS and Windows, by fakes of their APIs: `docs/platforms.md` lists it."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from broker import child, hardening, shells, warm, whole_files
from broker.agent.ancestors import narrowed_above
from broker.errors import UsageError
from broker.ports import notification, terminal

ECHO = 4
"""ENABLE_ECHO_INPUT of a console's mode."""


class Console:
    """kernel32's console functions; `modes` are those that were set."""

    def __init__(self, mode: int, *, is_console: bool = True) -> None:
        self.mode = mode
        self.modes: list[int] = []
        self._is_console = is_console

    def GetConsoleMode(self, handle: int, mode: Any) -> int:  # noqa: N802 - the API's name
        assert handle == 77
        mode._obj.value = self.mode
        return int(self._is_console)

    def SetConsoleMode(self, handle: int, mode: int) -> int:  # noqa: N802
        assert handle == 77
        self.modes.append(mode)
        return 1


class Typed(io.StringIO):
    def fileno(self) -> int:
        return 0


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys, "platform", "win32")
    return monkeypatch


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys, "platform", "darwin")
    return monkeypatch


def with_console(windows: pytest.MonkeyPatch, console: Console) -> None:
    windows.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=console), raising=False)
    msvcrt = types.SimpleNamespace(get_osfhandle=lambda number: 77 + number)
    windows.setitem(sys.modules, "msvcrt", msvcrt)


def test_a_console_shows_no_password_and_echoes_again_after(windows: pytest.MonkeyPatch) -> None:
    console = Console(0x1F7)
    with_console(windows, console)
    shown = io.StringIO()
    assert terminal.read_line((Typed("secret\n"), shown), "Password: ", secret=True) == "secret\n"
    assert console.modes == [0x1F7 & ~ECHO, 0x1F7]
    assert shown.getvalue() == "Password: \n"
    with pytest.raises(KeyboardInterrupt):
        terminal.read_line((Typed(""), shown), "Password: ", secret=True)
    assert console.modes[-1] == 0x1F7


def test_a_console_that_cannot_hide_is_asked_nothing(windows: pytest.MonkeyPatch) -> None:
    with_console(windows, Console(0, is_console=False))
    shown = io.StringIO()
    with pytest.raises(UsageError, match="hide what is typed"):
        terminal.read_line((Typed("secret\n"), shown), "Password: ", secret=True)
    assert shown.getvalue() == ""


def test_the_console_is_asked_by_its_own_names(windows: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def opening(name: str, *_: object, **__: object) -> io.StringIO:
        opened.append(name)
        return io.StringIO()

    windows.setattr("builtins.open", opening)
    assert terminal.has_terminal()
    assert opened == ["CONIN$", "CONOUT$"]


def test_a_file_is_replaced_once_it_is_closed(windows: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Windows renames no open file."""
    rename = Path.replace
    held: list[str] = []

    def replace(self: Path, target: Path) -> Path:
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the one that lists them
                held.append(str(link.readlink()))
        return rename(self, target)

    windows.setattr(Path, "replace", replace)
    whole_files.write_whole(tmp_path / "a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert held
    assert not [name for name in held if name.startswith(str(tmp_path))]


def test_a_command_is_waited_for_on_windows(windows: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    with child.signals_held() as mask:
        assert mask == set()
        words = [sys.executable, "-c", "exit(7)"]
        environ = dict(os.environ)
        assert child.run(words, environ, mask=mask, meanwhile=lambda: begun.append("x")) == 7
    assert begun == ["x"]
    assert hardening.harden() is None  # type: ignore[func-returns-value]


WITHOUT_SIGWAITINFO = """
import os, signal
del signal.sigwaitinfo, signal.sigtimedwait
from broker import child
code = "import os, signal; os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
with child.signals_held() as mask:
    print(child.run([os.environ["PYTHON"], "-c", code], dict(os.environ), mask=mask))
"""


def test_macos_has_no_sigwaitinfo_and_signals_are_sent_on() -> None:
    environ = {**os.environ, "PYTHON": sys.executable}
    words = [sys.executable, "-c", WITHOUT_SIGWAITINFO]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "143\n", done.stderr


class Link:
    """A socket whose options are macOS's: LOCAL_PEERPID, and LOCAL_PEERCRED's struct xucred."""

    def getsockopt(self, level: int, option: int, size: int = 0) -> object:
        assert level == 0  # SOL_LOCAL
        if option == 2:
            return 4711
        assert (option, size) == (1, 76)
        return (0).to_bytes(4, sys.byteorder) + (501).to_bytes(4, sys.byteorder) + bytes(68)


def test_macos_tells_who_is_at_the_other_end(macos: pytest.MonkeyPatch) -> None:
    assert warm.peer_of(Link()) == (4711, 501)  # type: ignore[arg-type]


def test_the_agents_folder_on_macos(macos: pytest.MonkeyPatch) -> None:
    macos.setenv("HOME", "/Users/ann")
    there = warm.agent_folder({})
    assert there == "/Users/ann/Library/Application Support/awslogin/agent"


def test_windows_has_no_agent_and_two_shells(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        asked = warm.may_ask_agent({})
        windows.setenv("PSModulePath", "x")
        powershell = warm.calling_shell()
        windows.delenv("PSModulePath")
        cmd = warm.calling_shell()
    assert (asked, powershell, cmd) == (False, "powershell", "cmd")


def test_a_shell_on_windows(windows: pytest.MonkeyPatch) -> None:
    windows.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    words, more = shells.with_hint({"COMSPEC": "cmd.exe", "PROMPT": "$P$G"}, "prod")
    assert (words, more["PROMPT"]) == (["cmd.exe", "/K"], "[prod] $P$G")
    words, _ = shells.with_hint({"SHELL": "pwsh"}, "prod")
    assert words[:4] == ["pwsh", "-NoLogo", "-NoExit", "-Command"]


def test_only_linux_tells_what_a_process_stems_from(macos: pytest.MonkeyPatch) -> None:
    assert narrowed_above(os.getpid()) == ""


def test_a_notification_on_macos_is_quoted(macos: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []

    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        told.append(words)
        return subprocess.CompletedProcess(words, 0)

    macos.setattr(subprocess, "run", run)
    macos.setattr("shutil.which", lambda name, **_: f"/usr/bin/{name}")
    assert notification.notify('say "x" \\ y', {})
    assert told[0][:2] == ["osascript", "-e"]
    assert notification.notify("Grüße", {})
    assert "Grüße" in told[1][2]  # AppleScript knows no \\u
    assert 'display notification "say \\"x\\" \\\\ y" with title' in told[0][2]
