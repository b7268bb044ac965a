"""Opens a web page in the person's browser, with the page's address in no command line.

An address may hold secrets (a sign-in's `state`), and every user of a machine may read every
command line of it. The browser is given a private file that leads on to the address, as Jupyter
does it; a process of our own opens the browser, and takes the file away later.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from html import escape
from pathlib import Path

from broker.paths import private_dir, state_dir
from broker.ports.browser_reachability import in_wsl
from broker.ports.deadline import TimeIsUpError, within

OPENS_WITHIN = 3.0
"""Seconds after which a browser that still runs counts as opened."""
READ_WITHIN = 60.0
"""Seconds that a browser has to read the file."""
LATELY = 120.0
"""Seconds in which no second window is opened for who has no terminal."""
OLD = 600.0
"""Seconds after which a file is a killed process's."""
_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0;url={address}"><title>awslogin</title>'
    '<a href="{address}">Go on to the sign-in</a>\n'
)


def open_page(address: str, environ: Mapping[str, str]) -> bool:
    """Open a page; False where no browser can be opened.

    The browser gets neither our streams, as some write to stdout, nor our secrets.
    """
    folder = _folder(environ)
    command = [
        sys.executable,
        "-I",
        "-m",
        "broker.ports.open_page",
        *([str(folder)] if folder else []),
    ]
    try:
        opener = subprocess.Popen(
            command,
            env={k: v for k, v in environ.items() if not k.startswith(("AWSLOGIN_", "AWS_"))},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return False
    assert opener.stdin
    assert opener.stdout
    answer = opener.stdout
    with contextlib.suppress(BrokenPipeError), opener.stdin:
        opener.stdin.write(address.encode())
    try:
        opened = within(OPENS_WITHIN, lambda: answer.read(1)) == b"1"
    except TimeIsUpError:  # some browsers stay as long as their window: nobody waits for them
        opener.returncode = 0
        return True
    with answer, opener:
        return opened


def was_opened_lately(what: str, environ: Mapping[str, str]) -> bool:
    """Whether a page was opened for this in the last minutes by who has no terminal; notes it."""
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    note = private_dir(state_dir(environ) / "browser") / f"{name}.opened"
    try:
        lately = time.time() - note.stat().st_mtime < LATELY
    except FileNotFoundError:
        lately = False
    if not lately:
        note.touch(mode=0o600)
    return lately


def _folder(environ: Mapping[str, str]) -> Path | None:
    """Where the file may lie so that the browser can read it; None where the address is given.

    Windows shows command lines to their own user alone, macOS's default browser gets none, and
    Windows' browser does not read the files of WSL.
    """
    if sys.platform == "win32" or (sys.platform == "darwin" and not environ.get("BROWSER")):
        return None
    if in_wsl(environ):
        return None
    return private_dir(_snap(environ) or state_dir(environ) / "browser")


def _snap(environ: Mapping[str, str]) -> Path | None:
    """A folder that a browser from a snap reads, which sees no hidden folder of the home."""
    for name in ("firefox", "chromium"):
        common = Path(environ.get("HOME", "/nonexistent"), "snap", name, "common")
        if Path("/snap/bin", name).exists() and common.is_dir():
            return common / "awslogin"
    return None


def _written(address: str, folder: Path) -> Path:
    """A private file that leads on to an address."""
    for old in folder.glob("*.html"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > OLD:
                old.unlink()
    handle, name = tempfile.mkstemp(".html", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(_PAGE.format(address=escape(address)))
    return Path(name)


def main(folder: str = "") -> None:
    """Open the address on stdin; say on stdout whether a browser came, then tidy up."""
    import webbrowser

    address = sys.stdin.read()
    page = _written(address, Path(folder)) if folder else None
    answer = os.dup(1)  # which the browser does not inherit: some write to stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    opened = webbrowser.open(page.as_uri() if page else address)
    os.write(answer, b"1" if opened else b"0")
    if page:
        if os.fork():
            os._exit(0)  # nobody waits for what follows
        time.sleep(READ_WITHIN if opened else 0)
        page.unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
