"""HTTP for providers. Owns TLS, proxies, timeouts, retries, redirects, cookies and size limits.

Knows nothing of sign-in pages; it only guards where bytes may go.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http.cookiejar import Cookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar

from broker import __version__
from broker.errors import NetworkError, UnexpectedReply
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.tls import ca_bundle, trust_the_system
from broker.ports.urls import is_loopback, joined, origin, require_safe, without_query

if TYPE_CHECKING:
    from broker.ports.clock import Clock

TIMEOUT = (5.0, 10.0)
"""Seconds to connect and between two bytes. Two tries stay below the contract's 30 s."""
DEADLINE = 25.0
"""Seconds for one exchange, all its bytes and tries."""
MAX_BODY = 8 * 1024 * 1024
"""Bytes of one reply; a longer one is refused."""
MAX_REDIRECTS = 20
TRIES = 3
RETRIED = frozenset({429, 500, 502, 503, 504})


class _Jar(RequestsCookieJar):
    """Sends `Secure` cookies to loopback over http, as browsers do (Keycloak marks all so)."""

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        if is_loopback(cookie.domain.removesuffix(".local")):
            cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


@dataclass(frozen=True)
class Reply:
    """One reply, read whole.

    Attributes:
        url: Where it came from, after redirects.
        status: HTTP status.
        headers: Names in any case.
        text: The decoded body.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    text: str

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
        self._session.trust_env = False  # .netrc must not add a password of its own
        self._session.cookies = _Jar()
        self._session.headers["User-Agent"] = f"awslogin/{__version__}"

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookie jar, for providers that remember a device."""
        return self._session.cookies

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Reply:
        """GET; retried on connection errors, 429 and 5xx."""
        return self._send("GET", url, tries=TRIES, follow=follow, params=params, headers=headers)

    def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | list[tuple[str, str]] | None = None,
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
        for _ in range(MAX_REDIRECTS):
            self._guard(url, only_to)
            reply = self._try(method, url, tries, body)
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
        if only_to is not None and origin(url) not in only_to:
            raise UnexpectedReply(
                f"the sign-in page wants the secret sent to {urlsplit(url).netloc},"
                " which is not this provider's site; nothing was sent",
                hint="if that host is right, add it to `hosts` of the provider",
            )

    def _try(self, method: str, url: str, tries: int, body: dict[str, Any]) -> Reply:
        end = self._clock.monotonic() + DEADLINE
        for attempt in range(1, tries + 1):
            last = attempt == tries
            try:
                left = max(0.5, end - self._clock.monotonic())
                meanwhile, self._meanwhile = self._meanwhile, None
                reply = within(
                    left,
                    lambda: self._exchange(method, url, body, left),  # noqa: B023
                    meanwhile=meanwhile,
                )
            except TimeIsUpError as error:
                raise NetworkError(
                    f"{urlsplit(url).netloc} did not end its reply within {DEADLINE:.0f} s",
                    hint="check the network, the proxy and the address, then try again",
                ) from error
            except requests.exceptions.SSLError as error:
                raise NetworkError(
                    f"{urlsplit(url).netloc} shows a certificate that is not trusted here",
                    hint="set AWS_CA_BUNDLE to your organisation's CA file",
                ) from error
            except requests.exceptions.RequestException as error:
                if last or self._clock.monotonic() >= end:
                    raise NetworkError(
                        f"{urlsplit(url).netloc} {_what_failed(error)}",
                        hint="check the network, the proxy and the address, then try again",
                    ) from error
                self._clock.sleep(_backoff(attempt))
                continue
            if reply.status not in RETRIED:
                return reply
            pause = _retry_after(reply, attempt)
            if last or self._clock.monotonic() + pause >= end:
                raise NetworkError(f"{urlsplit(url).netloc} answered {reply.status}; try later")
            self._clock.sleep(pause)
        raise AssertionError("unreachable")

    def _exchange(self, method: str, url: str, body: dict[str, Any], left: float) -> Reply:
        connect, read = TIMEOUT
        with self._session.request(
            method,
            url,
            timeout=(min(connect, left), min(read, left)),
            allow_redirects=False,
            stream=True,
            verify=ca_bundle(self._environ) or True,
            proxies=requests.utils.get_environ_proxies(url),
            **body,
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > MAX_BODY:
                    raise UnexpectedReply(f"{without_query(url)} sent more than {MAX_BODY} bytes")
            stated = response.encoding if "charset" in _content_type(response) else None
            encoding = stated or _charset_of(bytes(content[:2048]))
            return Reply(
                url=response.url,
                status=response.status_code,
                headers=response.headers,
                text=_decode(bytes(content), encoding),
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


def _content_type(response: requests.Response) -> str:
    return str(response.headers.get("Content-Type", "")).lower()


def _charset_of(start: bytes) -> str:
    """The character set that a page's own head declares; UTF-8 where it does not."""
    found = re.search(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([\w:-]{1,40})", start, re.IGNORECASE)
    return found[1].decode("ascii", "replace") if found else "utf-8"


def _decode(content: bytes, encoding: str | None) -> str:
    try:
        return content.decode(encoding or "utf-8", errors="replace")
    except LookupError:
        return content.decode("utf-8", errors="replace")


def _what_failed(error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "cannot be reached through the proxy"
    return "cannot be reached"


def _backoff(attempt: int) -> float:
    return random.uniform(0.2, 0.5) * float(2**attempt)  # noqa: S311 - jitter, not a secret


def _retry_after(reply: Reply, attempt: int) -> float:
    value = reply.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        from email.utils import parsedate_to_datetime

        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return _backoff(attempt)
