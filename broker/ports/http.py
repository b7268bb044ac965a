"""HTTP for providers. Owns TLS, proxies, timeouts, retries, redirects, cookies and size limits.

Knows nothing of sign-in pages; it only guards where bytes may go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar

from broker import __version__
from broker.errors import NetworkError, UnexpectedReply
from broker.ports.charset import charset_of
from broker.ports.cookies import CookieJar
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.pauses import backoff, retry_after
from broker.ports.route import ca_file, certificate_fault, proxy_fault, require_proxy
from broker.ports.steps import traced
from broker.ports.tls import trust_the_system
from broker.ports.urls import is_loopback, joined, require_origin, require_safe, without_query

if TYPE_CHECKING:
    from broker.ports.clock import Clock

TIMEOUT = (5.0, 10.0)
"""Seconds to connect and between two bytes. Two tries stay below the contract's 30 s."""
DEADLINE = 25.0
"""Seconds for one request, all its bytes, tries and redirects."""
MAX_BODY = 8 * 1024 * 1024
"""Bytes of one reply; a longer one is refused."""
MAX_REDIRECTS = 20
TRIES = 3
Fields = Mapping[str, str] | Sequence[tuple[str, str | bytes]]
"""Of a form or a query; text is sent as UTF-8, bytes as they are."""
RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Reply:
    """One reply, read whole.

    Attributes:
        url: Where it came from, after redirects.
        status: HTTP status.
        headers: Names in any case.
        text: The decoded body.
        charset: What it was decoded from.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    text: str
    charset: str = "utf-8"

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UnexpectedReply: It is not JSON.
        """
        import json

        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise UnexpectedReply(
                f"{without_query(self.url)} answered {self.status} with something that is not JSON"
            ) from error


class HttpSession:
    """Requests that share cookies.

    Args:
        clock: Time and sleep.
        environ: Says which certificates are trusted.
        meanwhile: Work that is done while the first reply is waited for.
    """

    def __init__(
        self,
        clock: Clock,
        environ: Mapping[str, str],
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._environ = environ
        self._meanwhile = meanwhile
        self._session = requests.Session()
        self._session.verify = ca_file(environ) or True
        self._session.trust_env = False  # .netrc must not add a password of its own
        self._session.cookies = CookieJar()
        self._session.headers["User-Agent"] = f"awslogin/{__version__}"

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookie jar, for providers that remember a device."""
        return self._session.cookies

    def get(
        self,
        url: str,
        *,
        params: Fields | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Reply:
        """GET; retried on connection errors, 429 and 5xx."""
        return self._send("GET", url, tries=TRIES, follow=follow, params=params, headers=headers)

    def head(self, url: str) -> Reply:
        """HEAD, not followed; retried on connection errors, 429 and 5xx."""
        return self._send("HEAD", url, tries=TRIES, follow=False)

    def post(
        self,
        url: str,
        *,
        form: Fields | None = None,
        json: object = None,
        text: str | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        only_to: Collection[str] | None = None,
        retry: bool = False,
        follow: bool = True,
    ) -> Reply:
        """POST a form or JSON.

        Args:
            url: Where to.
            form: Fields of an HTML form.
            json: Or a JSON body.
            text: Or any other text; `headers` say what it is.
            headers: Further headers.
            auth: User and password of HTTP Basic.
            only_to: Origins (see `origin`) that may see this body; None for one without a secret.
            retry: The body holds no password, code or single-use token, and may be sent again.
            follow: Follow redirects; a body with a secret never goes along (307, 308).

        Raises:
            UnexpectedReply: The address is not allowed to see the body; nothing was sent.
            NetworkError: Unreachable, timed out, or still throttled or 5xx after retries.
        """
        return self._send(
            "POST", url, tries=TRIES if retry else 1, follow=follow, only_to=only_to,
            data=form if text is None else text.encode(), json=json, headers=headers, auth=auth,
        )  # fmt: skip

    def _send(
        self,
        method: str,
        url: str,
        *,
        tries: int,
        follow: bool,
        only_to: Collection[str] | None = None,
        **body: Any,
    ) -> Reply:
        end = self._clock.monotonic() + DEADLINE
        for _ in range(MAX_REDIRECTS):
            self._guard(url, only_to)
            reply = self._try(method, url, tries, body, end)
            target = reply.headers.get("Location")
            if not (follow and target and reply.status in {301, 302, 303, 307, 308}):
                return reply
            url = joined(reply.url, target)
            body.pop("params", None)
            if reply.status in {307, 308} and only_to is not None:
                raise UnexpectedReply(
                    f"{without_query(reply.url)} wants the secret sent once more, to"
                    f" {urlsplit(url).netloc}; it was not"
                )
            if reply.status not in {307, 308} and method != "GET":
                method, tries, only_to = "GET", TRIES, None
                body = {}
            body.pop("auth", None)
        raise UnexpectedReply(f"{without_query(url)} redirects without end")

    def _guard(self, url: str, only_to: Collection[str] | None) -> None:
        require_safe(url)
        require_proxy(_proxy(url), urlsplit(url).netloc, self._environ)
        if only_to is not None:
            require_origin(url, only_to)

    def _try(self, method: str, url: str, tries: int, body: dict[str, Any], end: float) -> Reply:
        """One request, repeated where it may be, until `end` of the clock's monotonic time."""
        host = urlsplit(url).netloc
        for attempt in range(1, tries + 1):
            last = attempt == tries
            left = end - self._clock.monotonic()
            try:
                if left <= 0:  # no time for one more: do not begin it
                    raise TimeIsUpError
                meanwhile, self._meanwhile = self._meanwhile, None
                send = partial(self._exchange, method, url, body, left)
                wait = partial(within, left, send, meanwhile=meanwhile)
                reply = traced(method, url, wait, lambda reply: reply.status)
            except TimeIsUpError as error:
                raise NetworkError(
                    f"{host} did not end its reply within {DEADLINE:.0f} s",
                    hint="check the network, the proxy and the address, then try again",
                ) from error
            except requests.exceptions.RequestException as error:
                pause = backoff(attempt)
                final = last or isinstance(error, requests.exceptions.SSLError)
                if final or self._clock.monotonic() + pause >= end:
                    raise self._fault(url, error) from error
            except ValueError as error:  # the client looks at `Location` before we do
                raise UnexpectedReply(
                    f"{host} answered with something that no client can read"
                ) from error
            else:
                if reply.status not in RETRIED:
                    return reply
                pause = retry_after(reply.headers.get("Retry-After", ""), attempt)
                if last or self._clock.monotonic() + pause >= end:
                    raise NetworkError(f"{host} answered {reply.status}; try later")
            self._clock.sleep(pause)
        raise AssertionError("unreachable")

    def _fault(self, url: str, error: requests.exceptions.RequestException) -> NetworkError:
        """What went wrong on the way to an address."""
        host = urlsplit(url).netloc
        if isinstance(error, requests.exceptions.SSLError):
            return certificate_fault(host, error, self._environ)
        if isinstance(error, requests.exceptions.ProxyError):
            return proxy_fault(host, error, _proxy(url) or "", self._environ)
        late = isinstance(error, requests.exceptions.Timeout)
        return NetworkError(
            f"{host} {'did not answer in time' if late else 'cannot be reached'}",
            hint="check the network, the proxy and the address, then try again",
        )

    def _exchange(self, method: str, url: str, body: dict[str, Any], left: float) -> Reply:
        connect, read = TIMEOUT
        with self._session.request(
            method,
            url,
            timeout=(min(connect, left), min(read, left)),
            allow_redirects=False,
            stream=True,
            proxies=_proxies(url),
            **body,
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > MAX_BODY:
                    raise UnexpectedReply(f"{without_query(url)} sent more than {MAX_BODY} bytes")
            names_charset = "charset" in response.headers.get("Content-Type", "").lower()
            charset = charset_of(bytes(content), response.encoding if names_charset else None)
            return Reply(
                url=response.url,
                status=response.status_code,
                headers=response.headers,
                text=content.decode(charset, errors="replace"),
                charset=charset,
            )


class Http:
    """Opens HTTP sessions."""

    def __init__(
        self,
        clock: Clock,
        environ: Mapping[str, str] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._meanwhile = meanwhile
        trust_the_system(self._environ)

    def session(self) -> HttpSession:
        """A new session with an empty cookie jar."""
        return HttpSession(self._clock, self._environ, self._meanwhile)


def _proxies(url: str) -> dict[str, str]:
    """The environment's proxies for an address; none for this machine itself."""
    return {} if is_loopback(urlsplit(url).hostname) else requests.utils.get_environ_proxies(url)


def _proxy(url: str) -> str | None:
    """The proxy through which an address is asked."""
    chosen: str | None = requests.utils.select_proxy(url, _proxies(url))
    return chosen
