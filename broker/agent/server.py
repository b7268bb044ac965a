"""The agent at work: serves connections from its store. Owns whom it serves and when it ends.

Signs nobody in: it hands out finished bytes, or lets the asking process sign in.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from broker.agent import messages
from broker.agent.ancestors import narrowed_above
from broker.agent.refresh import Refresh, now
from broker.agent.store import (
    InflightLogin,
    NeedVariables,
    Place,
    SessionStore,
    SignIn,
    Take,
    Values,
)
from broker.agent.unlocked import UnlockedKeys
from broker.warm import peer_of, receive, send

if TYPE_CHECKING:
    from broker.agent.endpoint import CredentialsEndpoint

PATIENCE = 5.0
"""Seconds for a client that is to say something."""
HANDING_OUT = frozenset((b"get", b"recall", b"lend", b"endpoint"))
"""Verbs that get a session, or what unseals one: none for who runs in a narrowed session."""
ASKING = frozenset((b"get", b"declare", b"put", b"endpoint"))
"""Verbs of who wants a session: they begin the idle time anew."""


class AgentServer:
    """Serves connections; each in a thread of its own.

    Args:
        idle: Seconds after which it ends where nobody asked for a session.
        life: Seconds after which it ends, whoever asks.
        store: What it hands out.
    """

    def __init__(self, idle: float, life: float, store: SessionStore | None = None) -> None:
        self._idle = idle
        self._end = now() + life
        self._store = store or SessionStore()
        self._keys = UnlockedKeys(self._store.guesses)
        self._changed = threading.Condition()
        self._endpoints: dict[bytes, CredentialsEndpoint] = {}
        self._refresh = Refresh()
        self._last_asked = now()
        self.stopping = threading.Event()
        self._verbs: dict[bytes, tuple[type[Any] | None, Callable[[int, Any], Any]]] = {
            b"declare": (messages.Declare, self._store.declare),
            b"put": (messages.Put, self._store.put),
            b"failed": (messages.Failed, lambda pid, m: self._store.fail(pid, m.code, m.line)),
            b"keep": (messages.Keep, lambda _, m: self._keys.keep(m.name, m.value)),
            b"recall": (messages.Recall, self._recall),
            b"lend": (messages.Lend, lambda _, m: messages.Lent(self._keys.lend(m.name))),
            b"forget": (messages.Forget, self._forget),
            b"endpoint": (messages.Endpoint, self._endpoint),
            b"held": (messages.Held, self._held),
            b"status": (None, self._status),
            b"lock": (None, lambda *_: self.lock()),
            b"stop": (None, lambda *_: self.end()),
        }

    def serve(self, link: socket.socket) -> None:
        """Serve one connection; a peer of another user gets nothing.

        Raises:
            OSError, ValueError, KeyError: It went away, or sent what is no message.
        """
        pid, user = peer_of(link)
        if user != os.geteuid():
            return
        link.settimeout(PATIENCE)
        while not self.stopping.is_set():
            fields = receive(link)
            if not fields:
                return
            if fields[0] in ASKING:
                self._last_asked = now()
            if fields[0] in HANDING_OUT and narrowed_above(pid):
                send(link, *messages.encode(messages.Done()))
                return
            if fields[0] == b"get":
                self._get(link, pid, fields[1:])
                return
            send(link, *messages.encode(self._reply(pid, fields)))

    def lock(self) -> None:
        """Wipe everything at once; what is in flight may not bring it back.

        Endpoints' tokens are good no more; their ports stay ours, so that nobody else answers.
        """
        with self._changed:
            for endpoint in self._endpoints.values():
                endpoint.new_tokens()
            self._refresh.kill()
            self._store.sessions.wipe()
            self._keys.wipe()

    def end(self) -> None:
        """Wipe everything, for good."""
        self.stopping.set()
        self.lock()

    def tick(self) -> None:
        """Drop what has ended, refresh what is used, end when it is time to."""
        with self._changed:
            self._store.sessions.drop_what_ended()
            for place, variant in islice(self._store.due(), self._refresh.room()):
                self._refresh.start(place, variant.environ)
            is_idle = now() - self._last_asked > self._idle and not self._store.signs_in()
            if is_idle or now() > self._end:
                self.stopping.set()

    def _reply(self, pid: int, fields: list[bytes]) -> Any:
        kind, act = self._verbs[fields[0]]
        message = messages.decode(kind, fields) if kind else None
        with self._changed:
            reply = act(pid, message)
            self._changed.notify_all()
        return reply or messages.Done()

    def _get(self, link: socket.socket, pid: int, asked: list[bytes]) -> None:
        """Answer with the bytes, the failure of the one who signed in, or `go`: sign in."""
        how, path, profile, form = asked
        place: Place = (how, path, profile)
        values: Values = {}
        while True:
            with self._changed:
                answer = self._store.answer(pid, place, form, values)
            if isinstance(answer, NeedVariables):
                _learn(link, answer.names, values)
            elif isinstance(answer, Take):
                send(link, b"take", answer.text)
                return
            elif isinstance(answer, SignIn):
                self._await_its_end(link, answer.login)
                return
            elif self._told_of(answer.login, link, values, form):
                return

    def _told_of(
        self, login: InflightLogin, link: socket.socket, values: Values, form: bytes
    ) -> bool:
        """Wait for another process's sign-in; whether its outcome was this one's answer too."""
        send(link, b"wait")
        with self._changed:
            self._changed.wait_for(lambda: login.over or login.variant)
        variant = login.variant
        if variant:
            _learn(link, variant.vary - values.keys(), values)
            if not self._store.is_variant(variant, values):
                return False
        with self._changed:
            self._changed.wait_for(lambda: login.over)
        if login.failure:
            send(link, *([b"failed", *login.failure] if variant else [b"no"]))
        elif form in login.texts:
            send(link, b"take", login.texts[form])
        return bool(login.failure or form in login.texts)

    def _await_its_end(self, link: socket.socket, login: InflightLogin) -> None:
        """Let this process sign in; when its connection ends, so does what others wait for."""
        try:
            send(link, b"go")
            link.settimeout(None)
            receive(link)
        finally:
            with self._changed:
                self._store.end(login)
                self._changed.notify_all()

    def _recall(self, _: int, recall: messages.Recall) -> messages.Recalled:
        return messages.Recalled(self._keys.recall(recall.name))

    def _forget(self, _: int, forget: messages.Forget) -> None:
        self._store.sessions.forget(forget.sign_in_id, forget.profile)

    def _held(self, _: int, asked: messages.Held) -> messages.Holding:
        return messages.Holding(self._store.sessions.is_fresh(asked.session_id))

    def _status(self, *_: object) -> messages.Running:
        count = self._store.sessions.count_fresh()
        return messages.Running(b"%d" % os.getpid(), b"%d" % count)

    def _endpoint(self, _: int, asked: messages.Endpoint) -> messages.Served:
        """Open the container endpoint of a session, or name the one that is open."""
        from broker.agent.endpoint import PATH, CredentialsEndpoint

        session_id = asked.session_id
        if session_id not in self._endpoints:
            endpoint = CredentialsEndpoint({PATH: lambda: self._for_sdk(session_id)})
            self._endpoints[session_id] = endpoint.__enter__()
        variables = self._endpoints[session_id].environ()
        return messages.Served({name.encode(): v.encode() for name, v in variables.items()})

    def _for_sdk(self, session_id: bytes) -> bytes:
        """What the endpoint answers: the session until it ends, though a new one is on its way.

        Raises:
            InteractionRequired: There is none, and a person must log in.
        """
        from broker.errors import InteractionRequired

        with self._changed:
            text = self._store.sessions.text_until_it_ends(session_id, b"container")
        if text is None:
            raise InteractionRequired("there is no session: log in with `awslogin` again")
        self._last_asked = now()
        return text


def _learn(link: socket.socket, names: Iterable[bytes], values: Values) -> None:
    """Ask the process for variables that shape what it asks for."""
    asked = sorted(names)
    if asked:
        send(link, b"ask", *asked)
        values |= dict(zip(asked, receive(link), strict=True))
