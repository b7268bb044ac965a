"""The agent's process: sessions unlocked in memory, handed out as finished bytes.

Owns what is held, whom it serves and when it ends; signs nobody in. It knows a session by the door
at which it was asked for: config file, profile, the files that were read and the variables that
shaped it. Of many processes that ask at a door without a fresh session one signs in, the full
program in its own process; the others wait here for what becomes of it.

Run as a file, without site-packages: `server.py FOLDER IDLE LOCK`; the lock is inherited.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))

from broker.entry import is_private, peer_of, receive, send, socket_path
from broker.file_fingerprint import file_fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.agent.endpoint import CredentialsEndpoint

TICK = 5.0
"""Seconds between looks at what has expired, is to be refreshed, or has been idle."""
LONGEST_REFRESH = 120.0
NO_ROOM = 0.1
"""Seconds until the next try where file descriptors have run out."""

Place = tuple[bytes, bytes, bytes]
"""How the config was found, its path, the profile."""
Names = frozenset[bytes]
Values = dict[bytes, bytes]


class Held:
    """A session in every format, as bytes that can be wiped; times are seconds of the epoch."""

    def __init__(self, sign_in: bytes, profile: bytes) -> None:
        self.sign_in = sign_in
        self.profile = profile
        self.file = self.stamp = b""
        self.fresh_until = self.refresh_at = self.expires = 0.0
        self.texts: dict[bytes, bytearray] = {}
        self.used = False

    def is_at_rest(self) -> bool:
        """Whether the file that it lies in at rest is as it was: whoever removes it, forgets it."""
        return file_fingerprint(self.file) == self.stamp

    def wipe(self) -> None:
        """Overwrite and drop the secrets."""
        for text in self.texts.values():
            text[:] = bytes(len(text))
        self.texts.clear()


class Door:
    """One way of asking for one session, and all that must be as it was for the answer to hold."""

    def __init__(self, names: Names, digest: bytes, stamps: dict[bytes, bytes], key: bytes) -> None:
        self.names = names
        self.digest = digest
        self.stamps = stamps
        self.key = key
        self.environ: Values = {}
        self.lasting = True
        self.flight: Flight | None = None

    def holds(self) -> bool:
        """Whether every file that was read is as it was."""
        return all(file_fingerprint(path) == was for path, was in self.stamps.items())


class Flight:
    """One process's sign-in, which others may wait for."""

    def __init__(self, pid: int, place: Place) -> None:
        self.pid = pid
        self.place = place
        self.door: Door | None = None
        self.over = False
        self.failure: tuple[bytes, bytes] | None = None
        self.texts: dict[bytes, bytes] = {}


class Agent:
    """What is held, and the verbs of the socket."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._changed = threading.Condition()
        self._held: dict[bytes, Held] = {}
        self._doors: dict[Place, list[Door]] = {}
        self._leaders: dict[Place, Flight] = {}
        self._flights: dict[int, Flight] = {}
        self._secrets: dict[bytes, bytearray] = {}
        self._endpoints: dict[bytes, CredentialsEndpoint] = {}
        self._pepper = os.urandom(32)
        self._children: list[tuple[subprocess.Popen[bytes], float]] = []
        self._last = now()
        self.stopping = threading.Event()
        self._verbs: dict[bytes, Callable[..., list[bytes] | None]] = {
            b"declare": self._declare,
            b"endpoint": self._endpoint,
            b"put": self._put,
            b"failed": self._failed,
            b"recall": self._recall,
            b"keep": self._keep,
            b"forget": self._forget,
            b"status": self._status,
            b"lock": self._lock,
            b"stop": self._stop,
        }

    def serve(self, link: socket.socket) -> None:
        """Serve one connection; a peer of another user gets nothing."""
        pid, user = peer_of(link)
        if user != os.geteuid():
            return
        link.settimeout(5)
        while not self.stopping.is_set():
            fields = receive(link)
            if not fields:
                return
            self._last = now()
            verb, *rest = fields
            if verb == b"get":
                self._get(link, pid, rest)
                return
            reply = self._verbs[verb](pid, *rest)
            send(link, *(reply or [b"ok"]))

    def _get(self, link: socket.socket, pid: int, asked: list[bytes]) -> None:
        """Answer at a door: the bytes, the failure of the one who signed in, or `go`: sign in."""
        how, path, profile, form = asked
        place = (how, path, profile)
        values: Values = {}
        while True:
            leads, door, text, flight = False, None, None, None
            with self._changed:
                doors = self._doors_at(place)
                unknown = {name for door in doors for name in door.names} - values.keys()
                if not unknown:
                    door = self._matching(doors, values)
                    text = self._text(door, form) if door else None
                    flight = door.flight if door else self._leaders.get(place)
                    leads = text is None and flight is None
                    flight = self._lead(pid, place, door) if leads else flight
            if unknown:
                self._learn(link, unknown, values)
            elif text is not None:
                send(link, b"take", text)
                return
            elif leads and flight:
                self._wait_for_its_end(link, flight)
                return
            elif flight and self._told_of(flight, link, values, form):
                return

    def _told_of(self, flight: Flight, link: socket.socket, values: Values, form: bytes) -> bool:
        """Wait for another process's sign-in; whether its outcome was this one's answer too."""
        send(link, b"wait")
        with self._changed:
            self._changed.wait_for(lambda: flight.over or flight.door)
        door = flight.door
        if door:
            self._learn(link, door.names - values.keys(), values)
            if self._digest(door.names, values) != door.digest:
                return False
        with self._changed:
            self._changed.wait_for(lambda: flight.over)
        if flight.failure:
            send(link, *([b"failed", *flight.failure] if door else [b"no"]))
        elif form in flight.texts:
            send(link, b"take", flight.texts[form])
        return bool(flight.failure or form in flight.texts)

    def _learn(self, link: socket.socket, names: Iterable[bytes], values: Values) -> None:
        """Ask the process for variables that shape what it asks for."""
        asked = sorted(names)
        if asked:
            send(link, b"ask", *asked)
            values |= dict(zip(asked, receive(link), strict=True))

    def _wait_for_its_end(self, link: socket.socket, flight: Flight) -> None:
        """Let this process sign in; when its connection ends, so does what others wait for."""
        try:
            send(link, b"go")
            link.settimeout(None)
            receive(link)
        finally:
            with self._changed:
                self._end(flight)

    def _doors_at(self, place: Place) -> list[Door]:
        """The doors of a place whose files are as they were; the others are gone for good."""
        doors = [door for door in self._doors.get(place, []) if door.holds()]
        self._doors[place] = doors
        return doors

    def _matching(self, doors: list[Door], values: Values) -> Door | None:
        return next((d for d in doors if d.digest == self._digest(d.names, values)), None)

    def _digest(self, names: Names, values: Values) -> bytes:
        """The variables' values, which may be secrets, as something that tells nothing of them."""
        told = hashlib.blake2b(key=self._pepper)
        for name in sorted(names):
            value = values[name]
            told.update(b"%d:%b=%d:%b" % (len(name), name, len(value), value))
        return told.digest()

    def _text(self, door: Door, form: bytes) -> bytes | None:
        held = self._held.get(door.key)
        if held is None or time.time() >= held.fresh_until or form not in held.texts:
            return None
        if not held.is_at_rest():
            return None
        held.used = True
        return bytes(held.texts[form])

    def _lead(self, pid: int, place: Place, door: Door | None) -> Flight:
        flight = Flight(pid, place)
        flight.door = door
        self._flights[pid] = flight
        if door:
            door.flight = flight
        else:
            self._leaders[place] = flight
        return flight

    def _end(self, flight: Flight) -> None:
        flight.over = True
        doors = self._doors.get(flight.place, [])
        if flight.door and flight.door.flight is flight:
            flight.door.flight = None
            if not flight.door.lasting and flight.door in doors:
                doors.remove(flight.door)
        if self._leaders.get(flight.place) is flight:
            del self._leaders[flight.place]
        if self._flights.get(flight.pid) is flight:
            del self._flights[flight.pid]
        self._changed.notify_all()

    def _declare(self, pid: int, *fields: bytes) -> None:
        """A process says which door it came through: files and stamps, then names and values.

        One whose files changed just now lasts for those who wait alone.
        """
        how, path, profile, key, lasting, *pairs = fields
        place = (how, path, profile)
        middle = pairs.index(b"")
        stamps = dict(zip(pairs[:middle:2], pairs[1:middle:2], strict=True))
        values = dict(zip(pairs[middle + 1 :: 2], pairs[middle + 2 :: 2], strict=True))
        with self._changed:
            doors = self._doors_at(place)
            names = frozenset(values)
            digest = self._digest(names, values)
            door = next((d for d in doors if d.names == names and d.digest == digest), None)
            if door is None or door.key != key or door.stamps != stamps:
                if door:
                    doors.remove(door)
                door = Door(names, digest, stamps, key)
                door.environ = {name: value for name, value in values.items() if is_plain(name)}
            flight = self._flights.get(pid)
            door.lasting = lasting == b"lasting"
            if door not in doors and (door.lasting or flight):
                doors.append(door)
            if flight and flight.place == place and flight.door is not door:
                if flight.door:
                    flight.door.flight = None
                flight.door = door
                door.flight = door.flight or flight
                self._leaders.pop(place, None)
            self._changed.notify_all()

    def _put(self, pid: int, *fields: bytes) -> None:
        """A process hands over a session; one that is not kept is for those who wait alone."""
        key, sign_in, profile, file, told, fresh_until, refresh_at, expires, *texts = fields
        rendered = dict(zip(texts[::2], texts[1::2], strict=True))
        with self._changed:
            if file:
                held = Held(sign_in, profile)
                held.file, held.stamp = file, told
                held.fresh_until, held.refresh_at = float(fresh_until), float(refresh_at)
                held.expires = float(expires)
                held.texts = {form: bytearray(text) for form, text in rendered.items()}
                if key in self._held:
                    self._held[key].wipe()
                self._held[key] = held
            flight = self._flights.get(pid)
            if flight and flight.door and flight.door.key == key:
                flight.texts = rendered
                self._end(flight)

    def _endpoint(self, pid: int, key: bytes) -> list[bytes]:
        """Open the container endpoint of a session, or name the one that is open."""
        del pid
        from broker.agent.endpoint import CredentialsEndpoint

        with self._changed:
            if key not in self._endpoints:
                endpoint = CredentialsEndpoint(lambda: self._for_sdk(key))
                self._endpoints[key] = endpoint.__enter__()
            pairs = self._endpoints[key].environ().items()
            return [b"endpoint", *(part.encode() for pair in pairs for part in pair)]

    def _for_sdk(self, key: bytes) -> bytes:
        """What the endpoint answers: the session until it ends, though a new one is on its way.

        Raises:
            InteractionRequired: There is none, and a person must log in.
        """
        from broker.errors import InteractionRequired

        self._last = now()
        with self._changed:
            held = self._held.get(key)
            if held and time.time() < held.expires and held.is_at_rest():
                held.used = True
                return bytes(held.texts[b"container"])
        raise InteractionRequired("there is no session: log in with `awslogin` again")

    def _failed(self, pid: int, code: bytes, line: bytes) -> None:
        """A process could not sign in: that is the result of all who wait for it."""
        with self._changed:
            flight = self._flights.get(pid)
            if flight:
                flight.failure = code, line
                self._end(flight)

    def _recall(self, pid: int, name: bytes) -> list[bytes]:
        del pid
        with self._changed:
            kept = self._secrets.get(name)
            return [b"kept", bytes(kept)] if kept is not None else [b"none"]

    def _keep(self, pid: int, name: bytes, value: bytes) -> None:
        del pid
        with self._changed:
            self._secrets[name] = bytearray(value)

    def _forget(self, pid: int, sign_in: bytes, profile: bytes) -> None:
        """Drop a sign-in's sessions, of one profile or, where it is empty, of all."""
        del pid
        with self._changed:
            for key, held in list(self._held.items()):
                if (not sign_in or held.sign_in == sign_in) and profile in {b"", held.profile}:
                    held.wipe()
                    del self._held[key]

    def _status(self, pid: int) -> list[bytes]:
        del pid
        with self._changed:
            held = [one for one in self._held.values() if one.is_at_rest()]
            fresh = [one for one in held if time.time() < one.fresh_until]
            return [b"status", b"%d" % os.getpid(), b"%d" % len(fresh)]

    def end(self) -> None:
        """Wipe everything, for good."""
        self.stopping.set()
        self._lock(0)

    def _lock(self, pid: int) -> None:
        """Wipe everything at once; what is in flight may not bring it back."""
        del pid
        with self._changed:
            for child, _ in self._children:
                child.kill()
            for held in self._held.values():
                held.wipe()
            for secret in self._secrets.values():
                secret[:] = bytes(len(secret))
            self._held.clear()
            self._secrets.clear()

    def _stop(self, pid: int) -> None:
        del pid
        self.end()

    def tick(self) -> None:
        """Drop what has expired, refresh what is used, end when nobody has asked for long."""
        with self._changed:
            for key, held in list(self._held.items()):
                if time.time() >= held.expires or not held.is_at_rest():
                    held.wipe()
                    del self._held[key]
            self._children = [(c, until) for c, until in self._children if not _ended(c, until)]
            for place, doors in list(self._doors.items()):
                for door in doors:
                    self._refresh(place, door)
            if now() - self._last > self._idle and not self._flights:
                self.stopping.set()

    def _refresh(self, place: Place, door: Door) -> None:
        """A session that is used and ends soon is got anew, in a child, if that needs no person."""
        held = self._held.get(door.key)
        if not held or not held.used or door.flight or time.time() < held.refresh_at:
            return
        if len(self._children) >= 4 or not door.holds():
            return
        early = time.time() < held.fresh_until
        held.refresh_at = held.fresh_until if early else held.expires
        how, path, profile = (os.fsdecode(part) for part in place)
        words = [
            sys.executable,
            "-P",
            "-m",
            "broker.cli",
            "creds",
            profile,
            "--force",
            "--no-input",
        ]
        if how == "given":
            words += ["--config", path]
        environ = {name: v for name, v in os.environb.items() if name not in door.environ}
        environ |= {name: v[1:] for name, v in door.environ.items() if v[:1] == b"+"}
        if not os.path.isabs(os.path.expanduser(environ.get(b"AWSLOGIN_HOME", b"/"))):
            return  # the child would look for it from another folder
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            child = subprocess.Popen(
                words, env=environ, cwd=os.path.dirname(path) or "/",
                stdin=null, stdout=null, stderr=null, start_new_session=True,
            )  # fmt: skip
            self._children.append((child, now() + LONGEST_REFRESH))


def _ended(child: subprocess.Popen[bytes], until: float) -> bool:
    if child.poll() is None and now() > until:
        child.kill()
    return child.poll() is not None


def is_plain(name: bytes) -> bool:
    """Whether a variable is no secret by its name, so that it may be kept and handed to a child."""
    secret = (b"SECRET", b"PASS", b"TOKEN", b"CODE", b"KEY_ID", b"CREDENTIAL")
    return not any(word in name.upper() for word in secret)


def now() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def harden() -> None:
    """No core dump and no debugger: memory holds secrets."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def listen(folder: str) -> tuple[socket.socket, str]:
    """The socket, in the folder, or in a short private one that the folder's `where` names."""
    where = os.path.join(folder, "where")
    with contextlib.suppress(OSError):
        old = os.path.dirname(socket_path(folder))
        if os.path.basename(old).startswith("awslogin-") and is_private(old):
            shutil.rmtree(old)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(where)
    try:
        path = socket_path(folder)
    except FileNotFoundError:
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        short = runtime if len(runtime) < 60 and os.path.isdir(runtime) else "/tmp"  # noqa: S108
        path = os.path.join(tempfile.mkdtemp(prefix="awslogin-", dir=short), "socket")
        with open(f"{where}.new", "w", encoding="utf-8", opener=_private) as file:
            file.write(path)
        os.replace(f"{where}.new", where)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.new")
    listener.bind(f"{path}.new")
    listener.listen(512)
    os.replace(f"{path}.new", path)
    return listener, path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def main(folder: str, idle: str, lock: str) -> None:
    """Serve until stopped, idle, or robbed of the socket."""
    os.closerange(3, int(lock))
    os.closerange(int(lock) + 1, os.sysconf("SC_OPEN_MAX"))
    os.set_inheritable(int(lock), False)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    harden()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _terminate)
    agent = Agent(float(idle))
    listener, path = listen(folder)
    ours = os.lstat(path)
    pause = min(TICK, float(idle) / 2)
    listener.settimeout(pause)
    due = now() + pause
    try:
        while not agent.stopping.is_set() and _is_still(ours, path):
            link = _accepted(listener)
            if now() >= due:  # before anyone is served: the machine may have slept past our end
                agent.tick()
                due = now() + pause
            if link:
                threading.Thread(target=_serve, args=(agent, link), daemon=True).start()
    finally:
        agent.end()
        _tidy(folder, path, ours)
        os._exit(0)


def _accepted(listener: socket.socket) -> socket.socket | None:
    """The next connection, or None where none came in time or there is no room for it now."""
    try:
        return listener.accept()[0]
    except TimeoutError:
        return None
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            raise
        time.sleep(NO_ROOM)
        return None


def _serve(agent: Agent, link: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError), link:
        agent.serve(link)


def _is_still(ours: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(ours, os.lstat(path))
    except OSError:
        return False


def _tidy(folder: str, path: str, ours: os.stat_result) -> None:
    if _is_still(ours, path):
        with contextlib.suppress(OSError):
            os.unlink(path)
    if os.path.dirname(path) != folder:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
            os.unlink(os.path.join(folder, "where"))


def _terminate(number: int, _frame: object) -> NoReturn:
    raise InterruptedError(number)


if __name__ == "__main__":
    main(*sys.argv[1:])
