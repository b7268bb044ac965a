"""Whose password and codes are used: the environment's, the keychain's, or the person's."""

from __future__ import annotations

from broker.ports import Ports
from broker.ports.totp import next_code
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
        self._typed: Secret | None = None
        self._kept = False
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

    def password(self) -> Secret:
        """The password: given by the environment, kept in the keychain, or typed."""
        given = self._ports.ui.given_password() or self._kept_password()
        if given is None:
            given = self._typed = self._ports.ui.password(f"Password of {self.username()}")
        self._given.append(given.reveal())
        return given

    def password_was_refused(self) -> None:
        """A kept password that does not work is not tried again."""
        self._typed = None
        if self._kept:
            self._ports.secrets.delete(self._entry())

    def password_was_taken(self) -> None:
        """Offer to keep a typed password that worked, where the YAML wants that."""
        if self._typed is None or not self._remember:
            return
        if self._ports.ui.confirm(f"Keep this password of {self.username()} in the keychain?"):
            self._ports.secrets.set(self._entry(), self._typed)

    def code(self, kind: str = "totp", about: str = "") -> Secret:
        """A one-time code: the environment's, the seed's, or a typed one.

        Args:
            kind: As in `mfa:`; a seed answers for `totp` alone.
            about: What the page calls the device or the code.
        """
        given = self._ports.ui.given_code()
        seed = None if given or kind != "totp" else self._seed()
        self.code_is_final = bool(given or seed)
        if given:
            code = Secret(given)
        elif seed:
            code = next_code(seed, self._ports)
        else:
            what = f" ({about})" if about else ""
            code = Secret(self._ports.ui.code(f"One-time code of {self.username()}{what}"))
        self._given.append(code.reveal())
        return code

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

    def _seed(self) -> Secret | None:
        return self._ports.secrets.get(f"totp/{self.username()}")

    def _kept_password(self) -> Secret | None:
        kept = self._ports.secrets.get(self._entry()) if self._remember else None
        self._kept = kept is not None
        return kept

    def _entry(self) -> str:
        return f"password/{self.username()}"
