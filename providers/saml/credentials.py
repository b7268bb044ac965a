"""Whose password and codes are used: the environment's, the keychain's, or the person's.

Each question says for which host the answer is; a page's words stand in it quoted.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from broker.errors import InteractionRequired, LoginRefused
from broker.ports import Ports
from broker.ports.one_time_codes import OneTimeCodes
from broker.ports.urls import host_of, origin
from broker.secret import Secret
from broker.terminal_text import one_line


class Person:
    """The one who signs in.

    Args:
        ports: The way to ask and to keep.
        username: `username` of the YAML, if it names one.
        remember: `remember_password` of the YAML: keep a typed password in the keychain.
        sites: Origins that codes of a seed or the environment may go to.
    """

    def __init__(
        self, ports: Ports, username: str | None, *, remember: bool, sites: Collection[str]
    ) -> None:
        self._ports = ports
        self._sites = sites
        self._given_name = username
        self._remember = remember
        self._name: str | None = None
        self._typed: Secret | None = None
        self._keychain_gave_password = False
        self._given: list[str] = []
        self.code_is_final = False

    @property
    def typed(self) -> list[str]:
        """What went into pages, to be masked in a copy of one."""
        return self._given

    def username(self) -> str:
        """The user name; asked once."""
        if self._name is None:
            self._name = self._ports.ui.username(self._given_name)
            self._given.append(self._name)
        return self._name

    def password(self, to: str) -> Secret:
        """The password: given by the environment, kept in the keychain, or typed.

        Args:
            to: The address that it goes to.
        """
        given = self._ports.ui.given_password() or self._stored_password()
        if given is None:
            given = self._typed = self._ports.ui.password(
                f"Password of {self.username()} for {host_of(to)}"
            )
        self._given.append(given.reveal())
        return given

    def password_was_refused(self) -> str:
        """Drop a password that does not work; where it came from, as the end of a hint."""
        self._typed = None
        variable = self._ports.ui.variable_of("PASSWORD")
        if variable:
            return f"; {variable} of the environment gave it"
        if self._keychain_gave_password:
            self._ports.secrets.delete(self._entry())
            return "; the keychain gave it, and has dropped it"
        return ""

    def password_was_taken(self) -> None:
        """Offer to keep a typed password that worked, where the YAML wants that."""
        if self._typed is None or not self._remember:
            return
        if self._ports.ui.confirm(f"Keep this password of {self.username()} in the keychain?"):
            self._ports.secrets.set(self._entry(), self._typed)

    def code(self, to: str, kind: str = "totp", about: str = "") -> Secret:
        """A code that was never sent before: the environment's, the seed's, or a typed one.

        Those of the environment and of a seed go to the provider's own sites alone.

        Args:
            to: The address that it goes to.
            kind: As in `mfa:`; a seed answers for `totp` alone.
            about: What the page calls the device or the code.

        Raises:
            LoginRefused: The only code there is was sent before.
            InteractionRequired: There is none and nobody to ask.
        """
        code = self._from_machine(kind) if origin(to) in self._sites else None
        self.code_is_final = code is not None
        code = code or self._typed_code(to, about)
        self._given.append(code.reveal())
        return code

    def answer(self, question: str, to: str) -> Secret:
        """The answer to a security question: the environment's code, or a typed one."""
        given = self._ports.ui.given_code() if origin(to) in self._sites else None
        asked = f"Answer for {host_of(to)} to its security question {quoted(question)}"
        return Secret(given or self._ask_code(asked, to, secret=True))

    def client_secret(self, client: str, to: str) -> Secret:
        """The secret of an API client: the environment's, the keychain's, or a typed one.

        A typed one is offered to the keychain.

        Args:
            client: Its id.
            to: The address that it goes to.

        Raises:
            InteractionRequired: There is none and nobody can be asked.
        """
        given = self._ports.ui.given_client_secret()
        if given:
            return given
        entry = f"client-secret/{client}"
        stored = self._ports.secrets.get(entry)
        if stored:
            return stored
        typed = Secret(
            self._ports.ui.ask(
                f"Secret of the client {client} for {host_of(to)}",
                secret=True,
                variable="AWSLOGIN_CLIENT_SECRET",
            )
        )
        if self._ports.ui.confirm("Keep this secret in the keychain?"):
            self._ports.secrets.set(entry, typed)
        return typed

    def client_secret_was_refused(self, client: str) -> None:
        """A kept secret that does not work is not tried again."""
        if not self._ports.ui.given_client_secret():
            self._ports.secrets.delete(f"client-secret/{client}")

    def _from_machine(self, kind: str) -> Secret | None:
        given = (self._ports.ui.given_code() or "").replace(" ", "")
        if given and self._spend(given):
            return Secret(given)
        seed = self._ports.secrets.get(f"totp/{self.username()}") if kind == "totp" else None
        if seed:
            return Secret(self._codes().of_seed(seed))
        if given and not self._ports.ui.interactive:
            raise LoginRefused(
                "the code in AWSLOGIN_MFA_CODE was used already",
                hint="set the device's next code",
            )
        return None

    def _typed_code(self, to: str, about: str) -> Secret:
        what = f" ({quoted(about)})" if about else ""
        question = f"One-time code of {self.username()} for {host_of(to)}{what}"
        while not self._spend(typed := self._ask_code(question, to).replace(" ", "")):
            self._ports.ui.show("That code was used already: wait for the next one.")
        return Secret(typed)

    def _ask_code(self, question: str, to: str, *, secret: bool = False) -> str:
        if origin(to) not in self._sites and not self._ports.ui.interactive:
            raise InteractionRequired(
                f"{host_of(to)} asks for a one-time code, and those of the environment and of a"
                " seed go to `url` and `hosts` of the provider alone",
                hint=f"run it on a terminal; if {host_of(to)} is right, add it to `hosts`",
            )
        return self._ports.ui.ask(question, secret=secret, variable="AWSLOGIN_MFA_CODE")

    def _codes(self) -> OneTimeCodes:
        return OneTimeCodes(self._ports, f"saml/{self.username()}")

    def _spend(self, code: str) -> bool:
        """Note a code; the answer to a question is none, and may be given again."""
        return not re.fullmatch(r"\d{6,}", code) or self._codes().spend(code)

    def _stored_password(self) -> Secret | None:
        stored = self._ports.secrets.get(self._entry()) if self._remember else None
        self._keychain_gave_password = stored is not None
        return stored

    def _entry(self) -> str:
        return f"password/{self.username()}"


def quoted(text: str) -> str:
    """A page's words within a sentence of ours: short, and told from it by their quotes."""
    return f"“{one_line(re.sub('[“”„]', '’', text), 80)}”"
