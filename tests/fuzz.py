"""`make fuzz`: reads what others write, spoiled by chance. Owns one rule: all failures are ours.

`python -m tests.fuzz [SECONDS [SEED]]` takes turns between a team's YAML, SAML responses, sign-in
pages and the agent's frames. What raises anything outside `broker.errors` is printed, and ends it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from broker.agent.server import AgentServer
from broker.config import load
from broker.errors import AwsLoginError
from broker.warm import send
from providers.saml import leads
from providers.saml.assertion import is_for_another, read
from providers.saml.debug_page import masked_copy
from providers.saml.page import Page
from providers.saml.walk import readers

SECONDS = 30.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://idp.example.com/login?x=1"
EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"

YAML = (
    EXAMPLE.read_bytes(),
    b"version: 1\nteam: t\nproviders: {k: {type: static}}\nprofiles: {a: {provider: k}}\n",
    b"a: &a [*a, !!python/object:os.system x]\n<<: *a\n? {b: 1}\n: |\n  text\n",
)
_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
SAML = (
    f"""<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"><p:Status><p:StatusCode
 Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>
<a:Assertion IssueInstant="2026-01-01T00:00:00Z"><a:Subject><a:SubjectConfirmation>
<a:SubjectConfirmationData NotOnOrAfter="2026-01-01T01:00:00Z"/></a:SubjectConfirmation></a:Subject>
<a:Conditions NotOnOrAfter="2026-01-01T01:00:00Z"><a:AudienceRestriction>
<a:Audience>urn:amazon:webservices</a:Audience></a:AudienceRestriction></a:Conditions>
<a:AuthnStatement SessionNotOnOrAfter="2026-01-01T08:00:00+00:00"/><a:AttributeStatement>
<a:Attribute Name="{_ATTRIBUTE}Role"><a:AttributeValue>arn:aws:iam::111122223333:role/Admin,arn:aws
:iam::111122223333:saml-provider/corp</a:AttributeValue></a:Attribute>
<a:Attribute Name="{_ATTRIBUTE}SessionDuration"><a:AttributeValue>3600</a:AttributeValue>
</a:Attribute></a:AttributeStatement></a:Assertion></p:Response>""".encode(),
)
PAGES = (
    b"""<html><head><title>Sign in</title><base href="/a/"><meta http-equiv=refresh content="3;x">
</head><body id=b onload="document.forms[0].submit()"><form id=f action="/go" method=post>
<label for=u>User</label><input id=u name=user><input type=password name=pass autocomplete=x>
<input type=hidden name=SAMLResponse value="PHg+"><select name=s><option value=1>Push</select>
<input type=radio name=r value=sms><button name=go value=1>Go</button></form>
<p class=error>Wrong</p><noscript><input type=submit></noscript></body></html>""",
    b"""<script>$Config={"pgid":"ConvergedTFA","urlPost":"/p","sFT":"x","arrUserProofs":[{"authMethodId":
"PhoneAppOTP","data":"x"}],"sErrorCode":"50126"}; window.location.href='https:\\/\\/x.example\\/';
</script><form><input name=otp type=tel maxlength=6></form>""",
)
FRAMES = (
    b"get\0given\0/config.yaml\0dev\0process",
    (b"declare\0how\0given\0config\0/config.yaml\0profile\0dev\0session_id\0id\0lasting\0yes"
    b"\0validators:/file\x001 2 3 4 5\0vary:CI\0-"),
    (b"put\0session_id\0id\0sign_in_id\0sign-in\0profile\0dev\0file\0/file\0fingerprint\0-"
    b"\0fresh_until\x009999999999\0refresh_at\x009999999999\0expires_at\x009999999999"
    b"\0texts:process\0text"),
    b"failed\0code\x003\0line\0line", b"recall\0name\0key", b"keep\0name\0key\0value\0v",
    b"forget\0sign_in_id\0\0profile\0", b"status", b"lock",
)  # fmt: skip
WORDS = (
    b"<", b">", b"&", b"'", b'"', b"\0", b"\xff", b"\xe2\x80\xae", b"{", b"[", b"]", b": ", b"- ",
    b"\n", b"\r", b"\t", b"&#xD800;", b"<!DOCTYPE x>", b"<![CDATA[", b"<form>", b"http://[", b"-1",
    b"${HOME}", b"*a", b"!!binary ", b"9" * 5000, b"0x", b"null", b"\\u0000", b"//", b"%00", b"1e9",
)  # fmt: skip


def spoiled(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds with some pieces cut, doubled, flipped, or mixed with others."""
    text = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        first, last = sorted(chance.randint(0, len(text)) for _ in range(2))
        last = min(last, first + chance.choice((1, 8, 200)))
        other = chance.choice(seeds)
        place = chance.randint(0, len(other))
        text[first:last] = chance.choice(
            (b"", text[first:last] * 3, chance.randbytes(1), chance.choice(WORDS),
             other[place : place + 40])
        )  # fmt: skip
    return bytes(text)


def read_yaml(text: bytes) -> None:
    """As a command reads the team's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(text)
        config = load(str(path), {"HOME": folder, "AWSLOGIN_HOME": folder}, Path(folder))
        list(config.problems)


def read_saml(text: bytes) -> None:
    """As STS's caller reads a response."""
    encoded = base64.b64encode(text).decode()
    is_for_another(encoded)
    with contextlib.suppress(AwsLoginError):
        read(text.decode("latin-1"), NOW)
    read(encoded, NOW)


def read_page(text: bytes) -> None:
    """All that the follow loop asks of a page."""
    words = text.decode("utf-8", "replace")
    masked_copy(words, ["pass"])
    page = Page.parse(URL, words)
    for form in page.forms:
        _ = form.kind, form.options, form.label(form.username or "x"), form.filled(user="ann")
    for reader in readers():
        reader.recognises(page)
    _ = leads.refresh(page), leads.script_target(page), leads.onward(page)
    _ = page.beyond_us, page.number
    _ = page.error(), page.heading(), page.news(None), page.title, page.strings


def read_frame(body: bytes) -> None:
    """As the agent reads what a process of the same user sends."""
    agent = AgentServer(3600, 28800)
    ours, its = socket.socketpair()
    with ours, its:
        for part in body.split(b"\n"):
            send(ours, part)
        ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
            agent.serve(its)  # what it suppresses itself
    agent.end()


TARGETS: tuple[tuple[Callable[[bytes], None], Sequence[bytes]], ...] = (
    (read_yaml, YAML), (read_saml, SAML), (read_page, PAGES),
    (read_frame, [*FRAMES, b"\n".join(FRAMES)]),
)  # fmt: skip


def main(seconds: float = SECONDS, seed: int | None = None) -> int:
    """Spoil and read until the time is over; 1 where something else than our errors came."""
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    chance, count = random.Random(seed), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        target, seeds = TARGETS[count % len(TARGETS)]
        text = spoiled(seeds, chance)
        count += 1
        try:
            target(text)
        except AwsLoginError:
            pass
        except Exception:  # noqa: BLE001 - what we look for
            traceback.print_exc()
            print(f"{target.__name__} of {text!r}\nseed {seed}, the {count}th")
            return 1
    print(f"{count} inputs in {seconds:.0f} s, no defect; seed {seed}")
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else SECONDS, int(given[1]) if given[1:] else None))
