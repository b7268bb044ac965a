"""One person's sign-in through the SAML provider, in the test's process, without waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from broker.errors import AwsLoginError, LoginRefused
from broker.ports.security_key import SecurityKeys
from broker.provider import Request
from broker.testing import FakeClock, MemoryKeychain, MemorySecrets, ScriptedUi, make_ports
from providers.saml.options import SamlOptions
from providers.saml.provider import Saml
from tests.sandbox import PROD, Sandbox

if TYPE_CHECKING:
    from tests.sandbox.soft_key import SoftKey

ADMIN = Request(profile="prod", region="eu-west-1", account=PROD, role="Admin")
ANYTHING = Request(profile="any", region="eu-west-1")
ADMIN_ARN = f"arn:aws:sts::{PROD}:assumed-role/Admin"
TOTP = "team/provider/totp/"


class SignIn:
    """A machine of one person: a sign-in may be repeated, what is kept stays.

    Args:
        sandbox: Whose STS and people there are.
        options: The provider's YAML.
        person: Whose password the environment gives; None gives none.
        answers: What the person types; None where nobody is there.
        environ: Further variables.
        keychain: It, or its entries.
        key: The security key that is plugged in, if any.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        options: Mapping[str, Any],
        *,
        person: str | None = "ann",
        answers: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        keychain: MemoryKeychain | Mapping[str, str] | None = None,
        key: SoftKey | None = None,
    ) -> None:
        given = {"AWSLOGIN_USERNAME": person or "ann", **(environ or {})}
        if person in sandbox.world.people:
            given.setdefault("AWSLOGIN_PASSWORD", sandbox.world.people[person].password)
        kept = keychain if isinstance(keychain, MemoryKeychain) else MemoryKeychain(keychain)
        self.ui = ScriptedUi(answers, environ=given)
        self.clock = FakeClock()
        self.keychain = kept
        self.secrets = MemorySecrets(self.clock, kept)
        ports = make_ports(
            sandbox.env(),
            ui=self.ui,
            clock=self.clock,
            secrets=self.secrets,
            security_keys=SecurityKeys(lambda: [key] if key else []),
        )
        self.provider = Saml("corp", SamlOptions.model_validate(dict(options)), ports)

    def arn(self, request: Request = ADMIN) -> str:
        """The ARN of the session; a kept assertion counts."""
        return str(self.provider.login(request).arn)

    def login(self) -> str:
        """The ARN that a new sign-in leads to."""
        self.secrets.forget("assertion")
        return self.arn()

    @property
    def shown(self) -> str:
        """All that had to be shown."""
        return "\n".join(self.ui.shown)


class Walk(SignIn):
    """A sign-in that starts at an address, of a person whom the YAML names.

    Args:
        sandbox: Whose STS and people there are.
        idp: The kind.
        url: Where it starts.
        user: Who signs in.
        answers: What the person types; None where nobody is there.
        code: `AWSLOGIN_MFA_CODE`.
        seed: Whether the keychain has the person's seed.
        password: Another one than the person's own; "" where the environment gives none.
        keychain: It, where it outlasts the walk.
        key: The security key that is plugged in, if any.
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
        key: SoftKey | None = None,
        **options: Any,
    ) -> None:
        environ = {
            "AWSLOGIN_USERNAME": user,
            "AWSLOGIN_PASSWORD": password,
            "AWSLOGIN_MFA_CODE": code,
        }
        super().__init__(
            sandbox,
            {"idp": idp, "url": url, "username": user, **options},
            person=user if password is None else None,
            answers=answers,
            environ={name: value for name, value in environ.items() if value},
            keychain=keychain,
            key=key,
        )
        if seed:
            totp = sandbox.world.people[user].totp
            assert totp
            self.keychain.entries[TOTP + user] = totp.seed


def refusal(sign_in: SignIn, kind: type[AwsLoginError] = LoginRefused) -> AwsLoginError:
    """How a new sign-in fails."""
    with pytest.raises(kind) as refused:
        sign_in.login()
    return refused.value
