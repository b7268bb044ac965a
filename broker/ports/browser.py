"""A real browser, for sign-ins that no program can do: passkeys, device trust, captchas.

Owns which installed browser is used, what it may know of this process, and what it says as errors
of ours. The browser itself runs in `browser_process`, apart from all secrets of this one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from broker import isolated
from broker.errors import (
    ConfigError,
)
from broker.paths import expanded, private_dir, state_dir
from broker.ports.browser_failures import failure, no_display

PATIENCE = 300.0
"""Seconds that a person has."""
SILENT = 15.0
"""Seconds that pages without a person have."""
SPARE = 60.0
"""Seconds beyond these, after which a browser that hangs is killed."""
END = 10.0
"""Seconds that it has to end by itself."""

_ON_PATH = {
    "chrome": ("google-chrome-stable", "google-chrome"),
    "edge": ("microsoft-edge-stable", "microsoft-edge"),
    "chromium": ("chromium", "chromium-browser"),
}
_ON_MACOS = {
    "chrome": "Google Chrome.app/Contents/MacOS/Google Chrome",
    "edge": "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "chromium": "Chromium.app/Contents/MacOS/Chromium",
}
_ON_WINDOWS = {
    "chrome": "Google/Chrome/Application/chrome.exe",
    "edge": "Microsoft/Edge/Application/msedge.exe",
    "chromium": "Chromium/Application/chrome.exe",
}
_NAMES = {"chrome": "Google Chrome", "edge": "Microsoft Edge", "chromium": "Chromium"}
_LOGS = {"DEBUG", "DEBUG_FILE", "PWDEBUG"}
"""Playwright would write cookies into its log."""


@dataclass(frozen=True)
class InterceptedPost:
    """What a browser was about to send.

    Attributes:
        value: The form's field.
        state: The browser's cookies and storage; None where it gave none.
    """

    value: str
    state: dict[str, Any] | None


class Browser:
    """Opens browsers."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def intercept(
        self,
        url: str,
        *,
        sites: Sequence[str],
        field: str,
        window: bool,
        state: Mapping[str, Any] | None = None,
        kind: str | None = None,
        executable: str | None = None,
    ) -> InterceptedPost | None:
        """Open a page and wait until a form is about to be posted to one of the sites.

        Nothing reaches the sites: the post is intercepted in the browser.

        Args:
            url: The first page.
            sites: Starts of addresses; `*` stands for one label of a host name.
            field: The form's field that is wanted.
            window: Whether a person sees the browser, and has `PATIENCE` seconds.
            state: The `state` of an earlier one.
            kind: `chrome`, `edge` or `chromium`; None takes the first that is installed.
            executable: The browser's program, instead: a full path, or a name on the PATH.

        Returns:
            None where there is no window and the page waits for a person.

        Raises:
            ConfigError: Playwright or the browser is not installed.
            InteractionRequired: There is no display for a window.
            LoginRefused: The person closed the window, or did not sign in in time.
            NetworkError: The first page cannot be reached.
            UnexpectedReply: The browser did not start, or it broke.
        """
        program = self._program(kind, executable)
        if window:
            self._require_display()
        job = {
            "executable": program,
            "url": url,
            "sites": list(sites),
            "field": field,
            "window": window,
            "state": state,
            "patience": PATIENCE if window else SILENT,
            "proxy": _proxy(self._environ),
            "folder": str(private_dir(state_dir(self._environ) / "browser")),
        }
        outcome = self._done(job)
        if outcome["outcome"] == "caught":
            return InterceptedPost(outcome["value"], outcome.get("state"))
        if outcome["outcome"] == "person":
            return None
        raise failure(outcome, program, urlsplit(url).netloc, PATIENCE)

    def _done(self, job: Mapping[str, Any]) -> dict[str, Any]:
        process = subprocess.Popen(
            isolated.command("broker.ports.browser_process"),
            env=_without_secrets(self._environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is ours to hear: the browser then ends because its caller has gone.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with _ending(process, job["patience"] + SPARE):
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            return {"outcome": "failed", "why": "it ended without an answer"}
        outcome: dict[str, Any] = json.loads(answer)
        return outcome

    def _program(self, kind: str | None, executable: str | None) -> str:
        if importlib.util.find_spec("playwright") is None:
            raise ConfigError(
                "`idp: browser` needs Playwright, which is not installed",
                hint="pip install 'awslogin[browser]'; no browser is downloaded",
            )
        if executable:
            path = expanded(self._on_path(executable) or executable)
            # A name that is not on the PATH must not be found in the working directory.
            if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
                return str(path)
            raise ConfigError(
                f"`executable` {executable} is not a program here", hint="name an installed browser"
            )
        for name in [kind] if kind else _NAMES:
            found = next(self._places(name), None)
            if found:
                return found
        names = _NAMES[kind] if kind else " or ".join(_NAMES.values())
        raise ConfigError(
            f"`idp: browser` finds no {names} on this machine",
            hint=f"install {names}, or set `executable` to where the browser is",
        )

    def _places(self, kind: str) -> Iterator[str]:
        """Where a browser is installed, the first place first."""
        if sys.platform == "win32":
            roots = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
            there = [Path(self._environ[root]) for root in roots if root in self._environ]
            paths = [root / _ON_WINDOWS[kind] for root in there]
        elif sys.platform == "darwin":
            there = [Path("/Applications"), Path.home() / "Applications"]
            paths = [root / _ON_MACOS[kind] for root in there]
        else:
            paths = [Path(path) for path in map(self._on_path, _ON_PATH[kind]) if path]
        yield from (str(path) for path in paths if path.is_file())

    def _on_path(self, name: str) -> str | None:
        """Where a bare name is found; not on Windows, which looks into the working directory."""
        if sys.platform == "win32" or "/" in name:
            return None
        return shutil.which(name, path=self._environ.get("PATH"))

    def _require_display(self) -> None:
        needs_one = sys.platform not in {"win32", "darwin"}
        if needs_one and not any(map(self._environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
            raise no_display()


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the browser: none of awslogin's or AWS's own variables."""
    inherited = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("AWSLOGIN_", "AWS_")) and name not in _LOGS
    }
    # Agents for device trust listen on loopback, which browsers never ask through a proxy.
    return inherited | {"PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK": "1"}


def _proxy(environ: Mapping[str, str]) -> dict[str, str] | None:
    """The environment's proxy as Playwright takes it; None leaves it to the browser's settings."""
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    url = next((environ[name] for name in names if environ.get(name)), None)
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    direct = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").replace(" ", "")
    hosts = [host for host in direct.split(",") if host]
    proxy = {
        "server": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "bypass": ",".join([*hosts, *(f"*.{host.lstrip('.*')}" for host in hosts if host != "*")]),
    }
    if parts.username:
        proxy |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return proxy


@contextlib.contextmanager
def _ending(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """However the block ends, so does the process with its browser: its stdin closes.

    Args:
        process: The process.
        seconds: After these it is killed, and the block finds no answer.
    """
    watchdog = threading.Timer(seconds, _kill, [process])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
        process.stdout.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started; its browser ends when their pipe closes."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
