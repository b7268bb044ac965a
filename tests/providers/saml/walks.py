"""Signs in through the SAML provider inside the test's process, with a clock that does not wait."""

from __future__ import annotations

from typing import Any

from broker.provider import Request
from broker.testing import FakeClock, MemoryKeychain, MemorySecrets, ScriptedUi, make_ports
from providers.saml.provider import Saml, SamlOptions
from tests.sandbox import PROD, Sandbox

ADMIN = Request(profile="prod", region="eu-west-1", account=PROD, role="Admin")
ANYTHING = Request(profile="any", region="eu-west-1")
TOTP = "team/provider/totp/"


class Walk:
    """A provider with its person.

    Args:
        sandbox: Whose STS and people there are.
        idp: The kind.
        url: Where it starts.
        user: Who signs in.
        answers: What the person types; None where nobody is there.
        code: `AWSLOGIN_MFA_CODE`.
        seed: Whether the keychain has the person's seed.
        password: Another one than the person's own; "" where the environment gives none.
        options: Further options of the provider.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        idp: str,
        url: str,
        user: str = "ann",
        *,
        answers: list[str] | None = None,
        code: str | None = None,
        seed: bool = False,
        password: str | None = None,
        keychain: MemoryKeychain | None = None,
        **options: Any,
    ) -> None:
        person = sandbox.world.people.get(user)
        if password is None:
            password = person.password if person else ""
        environ = {"AWSLOGIN_PASSWORD": password} if password else {}
        if code:
            environ["AWSLOGIN_MFA_CODE"] = code
        self.ui = ScriptedUi(answers, environ=environ)
        self.clock = FakeClock()
        self.keychain = keychain or MemoryKeychain()
        if seed:
            assert person
            assert person.totp
            self.keychain.entries[TOTP + user] = person.totp.seed
        given = {"idp": idp, "url": url, "username": user, **options}
        ports = make_ports(
            sandbox.env(),
            ui=self.ui,
            clock=self.clock,
            secrets=MemorySecrets(self.clock, self.keychain),
        )
        self.provider = Saml("corp", SamlOptions.model_validate(given), ports)

    def arn(self, request: Request = ADMIN) -> str:
        """Sign in; the session's ARN."""
        return str(self.provider.login(request).arn)
