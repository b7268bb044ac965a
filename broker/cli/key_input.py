"""Keys and seeds as people give them: from stdin, from a prompt, in the forms that they come in.

Errors never repeat what was read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from broker.credentials import access_key
from broker.errors import UsageError
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports.ui import Ui

MAX_INPUT_BYTES = 65536
SHORTEST_SEED_BYTES = 10
"""RFC 4226 asks for 16, some devices' own seeds have ten."""


def stdin_text() -> str:
    """What stdin holds, with or without a byte order mark.

    Raises:
        UsageError: It is no text.
    """
    content = sys.stdin.buffer.read(MAX_INPUT_BYTES)
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("stdin holds no UTF-8 text") from None


def from_stdin() -> tuple[str, Secret]:
    """`{"AccessKeyId": …, "SecretAccessKey": …}`, also under `AccessKey` as AWS CLI prints it.

    Raises:
        UsageError: It is neither, or a temporary session.
    """
    try:
        document: Any = json.loads(stdin_text())
        document = document.get("AccessKey", document)
        key_id, secret, token = (
            document.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        )
    except (ValueError, AttributeError, RecursionError):
        key_id = secret = token = None
    if token:
        raise UsageError(
            "that is a temporary session (it has a SessionToken)",
            hint="add the user's own AKIA… key",
        )
    if key_id is None or secret is None:
        raise UsageError(
            "stdin holds no keys", hint='give {"AccessKeyId": "…", "SecretAccessKey": "…"}'
        )
    return access_key(key_id, secret)


def asked(ui: Ui) -> tuple[str, Secret]:
    """Typed by the person."""
    key_id = ui.ask("Access key id")
    return access_key(key_id, ui.ask("Secret access key", secret=True))


def seed(text: str) -> Secret:
    """The seed of a text: base32 with or without spaces, an otpauth:// address, or JSON.

    Raises:
        UsageError: It is none, or one of codes that AWS does not take.
    """
    text = text.strip().lstrip("\ufeff")
    if re.fullmatch(r"\d{3}\s?\d{3}", text, re.ASCII):
        raise UsageError(
            "that is a one-time code, not the seed that makes them",
            hint="the seed is the long text beside the QR code, shown when the device is set up",
        )
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["TotpSeed"]
    if text.startswith("otpauth:"):
        try:
            address = urlsplit(text)
        except ValueError:
            raise UsageError("that is no otpauth:// address") from None
        if address.netloc.lower() != "totp":
            raise UsageError(
                f"that is a seed of another kind (otpauth://{address.netloc[:8]}): its codes count"
                " instead of following the time, and AWS takes TOTP alone"
            )
        query = dict(parse_qsl(address.query))
        usual = {"algorithm": "SHA1", "digits": "6", "period": "30"}
        if any(query.get(name, value).upper() != value for name, value in usual.items()):
            raise UsageError("AWS takes codes of SHA1, six digits and 30 seconds alone")
        text = query.get("secret", "")
    plain = re.sub(r"[\s-]", "", text).upper().rstrip("=")
    try:
        long_enough = len(base64.b32decode(plain + "=" * (-len(plain) % 8))) >= SHORTEST_SEED_BYTES
    except ValueError:
        long_enough = False
    if not long_enough:
        raise UsageError(
            "that is no TOTP seed", hint="it is base32, or an otpauth:// address from the QR code"
        )
    return Secret(plain)
