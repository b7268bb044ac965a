"""A security key's challenge and answer, and for whom a page may have one signed.

Source: W3C Web Authentication, 5.5 and 7.2; HTML, "registrable domain suffix".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.errors import UnexpectedReply
from broker.ports.urls import host_of, is_loopback, origin, require_safe
from broker.terminal_text import one_line

USUAL_SECONDS = 60
"""What a person has to touch a key where the page does not say."""


@dataclass(frozen=True)
class KeyChallenge:
    """What a page asks of a key.

    Attributes:
        page: The address of the page that asks.
        challenge: Random bytes that come back signed.
        rp_id: For whom the key was registered; the page's own host where the page does not say.
        credentials: The ids of the person's keys; empty for a passkey that the key itself finds.
        verification: `required`, `preferred` or `discouraged`: whether the PIN is wanted.
        seconds: What the page gives the person.
    """

    page: str
    challenge: bytes
    rp_id: str = ""
    credentials: Sequence[bytes] = ()
    verification: str = "preferred"
    seconds: float = USUAL_SECONDS


@dataclass(frozen=True)
class KeyAnswer:
    """What the key signed.

    Attributes:
        credential: The id of the key.
        client_data: The JSON that names challenge and origin.
        authenticator_data: The hash of the rp id, the flags and the counter.
        signature: Over both.
        user_handle: Whom a passkey stands for, if it says.
    """

    credential: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None


def permitted_rp_id(asked: KeyChallenge) -> str:
    """The rp id, where the page may ask for it; needs `fido2` where it is not the page's own host.

    Raises:
        UnexpectedReply: It is another site's.
    """
    require_safe(asked.page)
    host = urlsplit(asked.page).hostname or ""
    rp_id = asked.rp_id or host
    if rp_id == host:
        return rp_id
    from fido2.rpid import verify_rp_id

    whole_domain = "." not in rp_id  # the list's last rule: what it does not know is one for all
    if is_loopback(host) or whole_domain or not verify_rp_id(rp_id, page_origin(asked.page)):
        raise UnexpectedReply(
            f"{host_of(asked.page)} asks for a signature in the name of {one_line(rp_id, 80)},"
            " which is another site; no key was asked",
            hint="do not sign in there: tell whoever runs it",
        )
    return rp_id


def page_origin(url: str) -> str:
    """An address's origin as browsers write it: the port only where it is not the usual one."""
    scheme, _, rest = origin(url).partition("://")
    usual = {"https": ":443", "http": ":80"}[scheme]
    return f"{scheme}://{rest.removesuffix(usual)}"
