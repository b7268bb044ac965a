"""Whose password and codes are used: the environment's, the keychain's, or the person's."""

from __future__ import annotations

from broker.ports import Ports
from broker.secret import Secret


class Person:
    """The one who signs in.

    Args:
        ports: The way to ask and to keep.
        username: `username` of the YAML, if it names one.
        remember: `remember_password` of the YAML: keep a typed password in the keychain.
    """

    def __init__(self, ports: Ports, username: str | None, *, remember: bool) -> None:
        self._ports = ports
        self._given_name = username
        self._remember = remember
        self._name: str | None = None
        self._kept = False
        self.code_is_final = False

    def username(self) -> str:
        """The user name; asked once."""
        if self._name is None:
            self._name = self._ports.ui.username(self._given_name)
        return self._name

    def password(self) -> Secret:
        """The password: given by the environment, kept in the keychain, or typed."""
        given = self._ports.ui.given_password()
        if given:
            return given
        kept = self._ports.secrets.get(self._entry()) if self._remember else None
        if kept:
            self._kept = True
            return kept
        typed = self._ports.ui.password(f"Password of {self.username()}")
        if self._remember and self._ports.ui.confirm("Keep this password in the keychain?"):
            self._ports.secrets.set(self._entry(), typed)
            self._kept = True
        return typed

    def password_was_refused(self) -> None:
        """A kept password that does not work is not tried again."""
        if self._kept:
            self._ports.secrets.delete(self._entry())

    def code(self, kind: str = "totp", label: str = "") -> Secret:
        """A one-time code: the environment's, the seed's, or a typed one.

        Args:
            kind: The factor's (see `factors.Factor`); the seed serves `totp` alone.
            label: The factor as the person knows it.
        """
        given = self._ports.ui.given_code()
        if given:
            self.code_is_final = True
            return Secret(given)
        seed = self._ports.secrets.get(f"totp/{self.username()}") if kind == "totp" else None
        if seed:
            import pyotp

            self.code_is_final = True
            return Secret(pyotp.TOTP(seed.reveal()).at(self._ports.clock.now()))
        self.code_is_final = False
        whose = f"{self.username()}, {label}" if label else self.username()
        return Secret(self._ports.ui.code(f"One-time code of {whose}"))

    def answer(self, question: str) -> Secret:
        """The answer to a security question: the environment's code, or a typed one."""
        given = self._ports.ui.given_code()
        return Secret(
            given or self._ports.ui.ask(question, secret=True, variable="AWSLOGIN_MFA_CODE")
        )

    def client_secret(self, client: str) -> Secret:
        """The secret of an API client: the environment's, the keychain's, or a typed one.

        A typed one is offered to the keychain.

        Raises:
            InteractionRequired: There is none and nobody can be asked.
        """
        given = self._ports.ui.given_client_secret()
        if given:
            return given
        entry = f"client-secret/{client}"
        kept = self._ports.secrets.get(entry)
        if kept:
            return kept
        typed = Secret(
            self._ports.ui.ask(
                f"Secret of the client {client}", secret=True, variable="AWSLOGIN_CLIENT_SECRET"
            )
        )
        if self._ports.ui.confirm("Keep this secret in the keychain?"):
            self._ports.secrets.set(entry, typed)
        return typed

    def client_secret_was_refused(self, client: str) -> None:
        """A kept secret that does not work is not tried again."""
        if not self._ports.ui.given_client_secret():
            self._ports.secrets.delete(f"client-secret/{client}")

    def _entry(self) -> str:
        return f"password/{self.username()}"
