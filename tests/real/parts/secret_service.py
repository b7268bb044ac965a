"""A D-Bus session of its own, with gnome-keyring's Secret Service on it, or something worse.

Yields the environment that a command needs to find it. Nothing of the caller's desktop is reachable
from there: the bus starts no services by itself.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from tests.real.parts import process

PASSWORD = "keyring password"
SECRETS = "org.freedesktop.secrets"
PROMPTER = "org.gnome.keyring.SystemPrompter"

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def absent(folder: Path) -> Iterator[dict[str, str]]:
    """A bus on which nobody keeps secrets."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bus-") as run:  # a socket's path is 107 bytes at most
        path = Path(run) / "bus"
        config = folder / "bus.conf"
        config.write_text(_BUS.format(socket=path))
        environ = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}", "XDG_RUNTIME_DIR": run}
        with process.running(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"],
            env=process.clean_environ(),
            log=folder / "bus.log",
            ready=lambda: _listens(path),
        ):
            yield environ


@contextmanager
def unlocked(folder: Path) -> Iterator[dict[str, str]]:
    """An unlocked Secret Service; what it stores stays in `folder` for a second start."""
    with absent(folder) as environ, _gnome_keyring(folder, environ, password=PASSWORD):
        yield environ


@contextmanager
def locked(folder: Path) -> Iterator[dict[str, str]]:
    """A locked Secret Service, on a machine that can show no unlock dialog."""
    with unlocked(folder):
        pass
    with absent(folder) as environ, _gnome_keyring(folder, environ, password=None):
        yield environ


@contextmanager
def unattended(folder: Path) -> Iterator[dict[str, str]]:
    """A locked Secret Service whose unlock dialog nobody answers."""
    with locked(folder) as environ, _silence(folder, environ, PROMPTER):
        yield environ


@contextmanager
def silent(folder: Path) -> Iterator[dict[str, str]]:
    """A Secret Service that takes calls and never replies."""
    with absent(folder) as environ, _silence(folder, environ, SECRETS):
        yield environ


@contextmanager
def _gnome_keyring(
    folder: Path, environ: Mapping[str, str], *, password: str | None
) -> Iterator[None]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    unlock = [] if password is None else ["--unlock"]
    with process.running(
        ["gnome-keyring-daemon", "--foreground", "--components=secrets", *unlock],
        env=process.clean_environ(HOME=str(home), **environ),
        log=folder / "keyring.log",
        ready=lambda: _owned(environ, SECRETS),
        stdin=(password or "").encode(),
    ):
        yield


@contextmanager
def _silence(folder: Path, environ: Mapping[str, str], name: str) -> Iterator[None]:
    with process.running(
        [sys.executable, str(Path(__file__).with_name("silent_name.py")), name],
        env=process.clean_environ(**environ),
        log=folder / "silence.log",
        ready=lambda: _owned(environ, name),
    ):
        yield


def _listens(path: Path) -> bool:
    """Whether the bus takes connections: its socket is there a little earlier."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False


def _owned(environ: Mapping[str, str], name: str) -> bool:
    with open_dbus_connection(environ["DBUS_SESSION_BUS_ADDRESS"]) as bus:
        return bool(bus.send_and_get_reply(message_bus.NameHasOwner(name), timeout=120).body[0])
