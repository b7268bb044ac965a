"""Starts of `awslogin` that are forks of one process, which has loaded the whole program.

A fresh start loads some 900 modules, and the suite starts the command thousands of times. A fork
is a process of its own as well, with its own environment, folder, session, terminal and exit code,
and runs what the installed script starts. What it cannot show is the start itself: a test
of that says `fresh=True`, and AWSLOGIN_TEST_STARTS=fresh makes every start such a one.

Run as a program, this file is the process that forks.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, AnyStr

COMMAND = str(Path(sys.executable).parent / "awslogin")
LOCALE = ("LANG", "LC_", "TZ")
"""Variables that an interpreter reads before our code, by how their names begin: a server each."""
UNLIKE = ("PYTHON", "LD_")
"""Variables that want a fresh start."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
NUMBER = 8
"""Bytes of a number from the server."""
CHEAP_SCRYPT = {"n": 2, "r": 1, "p": 1}
"""Parameters of a test's vault, which opens at once; a fresh start makes it as dear as any."""
LIBRARIES = """
botocore.session botocore.client botocore.httpsession botocore.signers botocore.parsers
botocore.regions botocore.retries.standard botocore.credentials urllib3 requests bs4 keyring
cryptography.hazmat.primitives.ciphers.aead cryptography.hazmat.primitives.kdf.scrypt pyotp
pydantic yaml rich.console rich.table truststore filelock platformdirs concurrent.futures.thread
"""


def is_like_a_start(env: Mapping[str, str]) -> bool:
    """Whether a fork shows what a start does."""
    return (
        hasattr(os, "fork")
        and os.environ.get("AWSLOGIN_TEST_STARTS") != "fresh"
        and not any(name.startswith(UNLIKE) for name in env)
    )


class Forked(subprocess.Popen[AnyStr]):
    """A fork of the preloaded process, used like the `Popen` of a fresh start.

    Args:
        words: The command line.
        env: Its whole environment.
        cwd: Where it runs.
        terminal: The path of its controlling terminal, if it has one.
        changes: Constants by their full names; see `Home.changes`.
        streams: `stdin`, `stdout`, `stderr` and `text`, as a `Popen` takes them.
    """

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        terminal: str = "",
        changes: Mapping[str, float | tuple[float, float]],
        **streams: Any,
    ) -> None:
        self._more = {"terminal": terminal, "changes": dict(changes)}
        self._ended, self._link = socket.socketpair()
        super().__init__(words, env=env, cwd=cwd, **streams)

    def _execute_child(self, words: Sequence[str], *details: Any) -> None:
        cwd, env = details[4:6]
        stdin, stdout, stderr = details[9], details[12], details[14]
        job = {"words": words, "cwd": str(cwd), "env": env, **self._more}
        with self._link:
            locale = {name: value for name, value in env.items() if name.startswith(LOCALE)}
            _server(frozenset(locale.items())).fork([stdin, stdout, stderr, self._link.fileno()])
            self._ended.sendall(json.dumps(job).encode() + b"\n")
        self.pid = self._receive()
        self._child_created = True
        self._close_pipe_fds(*details[9:15])  # type: ignore[attr-defined]

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None and self._has_ended():
            self._try_wait(0)
        return self.returncode

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if flags & os.WNOHANG and not self._has_ended():
            return 0, 0
        status = self._receive()
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.close()
        return self.pid, status

    def _has_ended(self) -> bool:
        awaited = select.poll()  # `select` takes no descriptor beyond 1023
        awaited.register(self._ended, select.POLLIN)
        return bool(awaited.poll(0))

    def _receive(self) -> int:
        return int.from_bytes(self._ended.recv(NUMBER, socket.MSG_WAITALL), "big")


class _Server:
    """The process that forks."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._control, its_end = socket.socketpair()
        with its_end:
            process = subprocess.Popen(
                [sys.executable, __file__, str(its_end.fileno())],
                pass_fds=[its_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=env,
                cwd="/",
            )
        atexit.register(process.wait, 10)
        atexit.register(self._control.close)

    def fork(self, descriptors: list[int]) -> None:
        """Ask for one fork, which takes these."""
        with self._lock:
            socket.send_fds(self._control, [b"f"], descriptors)


@cache
def _server(env: frozenset[tuple[str, str]]) -> _Server:
    return _Server(dict(env))


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork whenever asked; comes back in each fork, with what it is to be."""
    load()
    gc.freeze()
    wakeup, on_signal = socket.socketpair()
    for end in (wakeup, on_signal):
        end.setblocking(False)
    signal.set_wakeup_fd(on_signal.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    awaited = select.poll()  # `select` takes no descriptor beyond 1023
    for end in (control, wakeup):
        awaited.register(end, select.POLLIN)
    while True:
        ready = {number for number, _ in awaited.poll()}
        if wakeup.fileno() in ready:
            wakeup.recv(4096)
            while running:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                with running.pop(pid) as link:
                    _send(link, status)
        if control.fileno() in ready:
            asked, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not asked:
                os._exit(0)
            *streams, number = descriptors
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for inherited in (control, wakeup, on_signal, *running.values()):
                    inherited.close()
                return become(streams, number)
            running[pid] = socket.socket(fileno=number)
            _send(running[pid], pid)
            for stream in streams:
                os.close(stream)


def _send(link: socket.socket, number: int) -> None:
    """Tell a test a number; it may have gone."""
    try:
        link.sendall(number.to_bytes(NUMBER, "big"))
    except OSError:
        return


def load() -> None:
    """Import what a start would."""
    import broker
    import providers

    for package in (broker, providers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in LIBRARIES.split():
        importlib.import_module(name)
    read_models_once()
    registry: Any = importlib.import_module("broker.registry")
    for name in registry.names():
        registry.load(name)
    make_a_client()
    vault: Any = importlib.import_module("broker.ports.vault")
    vault.SCRYPT.update(CHEAP_SCRYPT)  # else a test's vault is made dear at its first write


def read_models_once() -> None:
    """Keep what botocore reads of AWS's services and finds out of itself: 80 ms of each client."""
    from botocore import hooks
    from botocore.loaders import JSONFileLoader, Loader

    alias, names = hooks.EventAliaser._alias_event_name, dict[str, str]()
    accepts, accepting = hooks.accepts_kwargs, dict[Any, bool]()

    def alias_event_name(self: Any, name: str) -> str:
        if name not in names:
            names[name] = alias(self, name)
        return names[name]

    def accepts_kwargs(handler: Any) -> bool:
        code = getattr(handler, "__code__", handler)  # a method would keep its client
        if code not in accepting:
            accepting[code] = accepts(handler)
        return accepting[code]

    hooks.EventAliaser._alias_event_name = alias_event_name
    hooks.accepts_kwargs = accepts_kwargs
    read = JSONFileLoader.load_file
    kept: dict[str, Any] = {}

    def load_file(self: Any, path: str) -> Any:
        if path not in kept:
            found = read(self, path)
            if found is None:
                return None
            kept[path] = found
        return kept[path]

    JSONFileLoader.load_file = load_file
    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    for service in ("sts", "sso", "sso-oidc"):
        loader.load_service_model(service, "service-2")
        loader.load_service_model(service, "endpoint-rule-set-1")
    for data in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(data)


def make_a_client() -> None:
    """Import and compile what the first client does."""
    from botocore.session import Session

    nothing = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = Session(session_vars={"profile": (None, None, None, None), **nothing})
    for service in ("sts", "sso", "sso-oidc"):
        session.create_client(
            service, "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
        )


def become(streams: list[int], number: int) -> dict[str, Any]:
    """Be the process that a job describes."""
    with socket.socket(fileno=number) as link, link.makefile("rb") as lines:
        job: dict[str, Any] = json.loads(lines.readline())
    os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        old: io.TextIOWrapper = getattr(sys, name)
        new = open(  # noqa: SIM115 - as long as the process
            place, old.mode, old.line_buffering or -1, old.encoding, old.errors, closefd=False
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if job["terminal"]:
        import fcntl
        import termios

        terminal = os.open(job["terminal"], os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for name, value in job["changes"].items():
        module, _, constant = name.rpartition(".")
        if name == "speed":
            hurry(value)
        elif name in {"killed_at", "killed_at_step"}:
            die_before_change(int(value), or_request=name == "killed_at_step")
        else:
            assert hasattr(sys.modules[module], constant), name
            setattr(sys.modules[module], constant, value)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    return job


def hurry(speed: float) -> None:
    """Let the clock port's waits pass so many times as fast; the time of day stays."""
    clock: Any = sys.modules["broker.ports.clock"]
    clock.Clock.monotonic = lambda _: time.monotonic() * speed
    clock.Clock.sleep = lambda _, seconds: time.sleep(seconds / speed)


CHANGES = {
    f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "chmod", "link", "symlink")
}
"""Audit events of Python for what changes files, beside `open` for writing."""


def die_before_change(number: int, *, or_request: bool = False) -> None:
    """Let this process be killed right before its change to files of this number, from 1 on.

    With `or_request` each request to AWS counts too: before it, and once it is answered.
    """
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, details: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(details[2], int) and details[2] & WRITES
        if writes or event in CHANGES:
            count()

    sys.addaudithook(hook)
    if or_request:
        sessions: Any = importlib.import_module("botocore.httpsession").URLLib3Session
        send = sessions.send

        def counted(*given: Any, **named: Any) -> Any:
            count()
            reply = send(*given, **named)
            count()
            return reply

        sessions.send = counted


if __name__ == "__main__":
    sys.path[0] = str(Path(COMMAND).parent)
    job = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = [COMMAND, *job["words"][1:]]
    from broker.launch import main

    sys.exit(main())
