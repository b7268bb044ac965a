"""The code of a sign-in in the browser, brought back to a port of this machine.

Source: RFC 7636 (PKCE), RFC 8252 section 7.3 (loopback redirection), RFC 6749 section 4.1.2.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.errors import AwsLoginError, LoginRefused, NetworkError, UnexpectedReply
from broker.ports import Ports
from broker.secret import Secret
from broker.terminal_text import one_line

Address = Callable[[str, str, str], str]
"""Where the browser begins, for our redirect address, state and code challenge."""


@dataclass(frozen=True)
class Returned:
    """What the token endpoint is asked with."""

    code: Secret
    verifier: Secret
    redirect_uri: str


@dataclass(frozen=True)
class Proof:
    """What tells that a return, and the one who exchanges it, belong to this sign-in (PKCE)."""

    state: str
    verifier: Secret

    @classmethod
    def new(cls) -> Proof:
        """A verifier of 64 characters."""
        return cls(secrets.token_urlsafe(32), Secret(secrets.token_urlsafe(48)))

    @property
    def challenge(self) -> str:
        """The verifier's SHA-256, base64url without padding."""
        digest = hashlib.sha256(self.verifier.reveal().encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def code_by_browser(
    ports: Ports,
    address: Address,
    *,
    port: int = 0,
    issuer: str = "",
    must_name_issuer: bool = False,
    without_browser: str,
) -> Returned:
    """Open the browser, and take the code that it brings back.

    Args:
        ports: The person, and the browser.
        address: Makes the address at which the browser begins.
        port: A fixed port of 127.0.0.1; 0 for any free one.
        issuer: Who must be named, where the return names anybody (RFC 9207).
        must_name_issuer: The issuer says that it always does.
        without_browser: What to do where no browser comes back, for the hint.

    Raises:
        LoginRefused: Denied, or nobody came back in time.
        NetworkError: The page has a passing trouble.
        UnexpectedReply: It brought an error, or no code.
    """
    from broker.ports.loopback import LoopbackListener

    proof = Proof.new()
    with LoopbackListener(proof.state, port, ports.ui.waiting) as listener:
        page = address(listener.url, proof.state, proof.challenge)
        ports.ui.show(f"Sign in in the browser; if none opens, go to\n{page}")
        ports.ui.browse(page)
        answer = listener.wait(ports.ui.person_seconds)
    if answer is None:
        raise LoginRefused(
            "nobody finished the sign-in in the browser", hint=f"run it again{without_browser}"
        )
    if issuer and answer.get("iss", "" if must_name_issuer else issuer) != issuer:
        raise UnexpectedReply(
            "the browser came back from another issuer than it was sent to", hint="run it again"
        )
    if "code" not in answer:
        raise page_said(answer, without_browser)
    return Returned(Secret(answer["code"]), proof.verifier, listener.url)


def page_said(answer: Mapping[str, str], without_browser: str) -> AwsLoginError:
    """What a return without a code means (RFC 6749 section 4.1.2.1)."""
    error, description = answer.get("error", ""), answer.get("error_description", "")
    if error == "access_denied":
        return LoginRefused(
            f"the sign-in was denied{f': {one_line(description)}' if description else ''}",
            hint="run it again, and allow it",
        )
    message = f"the sign-in page failed: {one_line(description or error or 'it brought no code')}"
    if error in {"server_error", "temporarily_unavailable"}:
        return NetworkError(message, hint="try again later")
    return UnexpectedReply(message, hint=f"run it again{without_browser}")
