"""One person's sign-in at a SAML provider of the sandbox, with a clock that never waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from broker import registry
from broker.provider import Provider, Request
from broker.testing import FakeClock, MemoryKeychain, MemorySecrets, ScriptedUi, make_ports
from tests.sandbox import PROD, Sandbox

REQUEST = Request(profile="prod", region="eu-west-1", account=PROD, role="Admin")
ADMIN = f"arn:aws:sts::{PROD}:assumed-role/Admin"


class SignIn:
    """A machine of one person: `login` may be repeated, what is kept stays.

    Args:
        sandbox: Where.
        options: The provider's YAML.
        person: Whose password the environment gives; None gives none.
        answers: What the person types; None is nobody.
        environ: Further variables.
        keychain: Its entries.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        options: dict[str, Any],
        *,
        person: str | None = "ann",
        answers: Sequence[str] | None = None,
        environ: dict[str, str] | None = None,
        keychain: dict[str, str] | None = None,
    ) -> None:
        given = {"AWSLOGIN_USERNAME": person or "ann", **(environ or {})}
        if person:
            given.setdefault("AWSLOGIN_PASSWORD", sandbox.world.people[person].password)
        self.ui = ScriptedUi(answers, environ=given)
        self.clock = FakeClock()
        self.keychain = MemoryKeychain(keychain)
        self.secrets = MemorySecrets(self.clock, self.keychain)
        self._sandbox = sandbox
        self._options = options

    def provider(self) -> Provider:
        """The provider, as a new process would have it."""
        plugin = registry.load("saml")
        ports = make_ports(self._sandbox.env(), ui=self.ui, clock=self.clock, secrets=self.secrets)
        return plugin("under-test", plugin.Options.model_validate(self._options), ports)

    def login(self) -> str | None:
        """The ARN that the sign-in leads to; the assertion of an earlier one does not count."""
        self.secrets.forget("assertion")
        return self.provider().login(REQUEST).arn

    @property
    def shown(self) -> str:
        """All that had to be shown."""
        return "\n".join(self.ui.shown)
