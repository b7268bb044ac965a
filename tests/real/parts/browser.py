"""Chromium for tests: a command to start it, and a person who sits at it. Tests only.

As root Chromium runs only without its sandbox, which the product never gives up. So tests hand the
product a program of their own, which adds the flag and opens a port; through that port the person
sees the pages that the product has opened.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.real.parts import process
from tests.real.parts.keycloak_realm import Passkey

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=process.program("chromium"), args=list(_FLAGS)
        )
        yield browser
        browser.close()


def add_passkey(page: Page, passkey: Passkey) -> None:
    """Plug in a security key that holds this passkey and touches itself."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    credential = {
        "credentialId": passkey.credential_id,
        "isResidentCredential": False,
        "rpId": "localhost",
        "privateKey": passkey.private_key,
        "signCount": 1,
    }
    devtools.send(
        "WebAuthn.addCredential",
        {"authenticatorId": added["authenticatorId"], "credential": credential},
    )


@dataclass(frozen=True)
class Chromium:
    """A Chromium that another program starts: `executable` is what to start it by."""

    executable: Path
    port: int

    @contextmanager
    def person(self, seconds: float = 120) -> Iterator[Page]:
        """Someone at its window, once another program has opened a page there.

        Raises:
            AssertionError: Nobody did in time.
        """
        until = time.monotonic() + seconds
        while not process.answers(self.port):
            assert time.monotonic() < until, "no browser was started"
            time.sleep(0.05)
        with sync_playwright() as playwright:
            browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{self.port}")
            while not (pages := [page for it in browser.contexts for page in it.pages]):
                assert time.monotonic() < until, "no page was opened"
                time.sleep(0.05)
            pages[-1].set_default_timeout(1000 * seconds)
            yield pages[-1]


def chromium(folder: Path) -> Chromium:
    """Write a program into the folder that starts Chromium for root and lets a person in."""
    port = process.free_port()
    flags = shlex.join([*_FLAGS, f"--remote-debugging-port={port}"])
    executable = folder / "chromium"
    executable.write_text(
        f'#!/bin/sh\nexec {shlex.quote(process.program("chromium"))} {flags} "$@"\n'
    )
    executable.chmod(0o755)
    return Chromium(executable, port)
