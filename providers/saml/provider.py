"""SAML: a sign-in at an identity provider, its assertion, and a role taken with it at STS.

Owns the story of one SAML login. Source: AWS STS API Reference, AssumeRoleWithSAML; an assertion
serves all its roles until it runs out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.arn import account_of, partition_of, region_for
from broker.durations import HOUR
from broker.errors import LoginRefused, RoleRefused
from broker.ports import Ports
from broker.ports.aws import credentials_of
from broker.ports.clock import to_text
from broker.provider import Account, Credentials, Provider, Request, TrustStatement
from providers.saml.idp import IdentityProvider, load
from providers.saml.options import SamlOptions

if TYPE_CHECKING:  # parsing XML is not loaded before there is an assertion
    from providers.saml.assertion import Assertion, Role

SIGN_IN_HOSTS = {
    "aws": "signin.aws.amazon.com",
    "aws-cn": "signin.amazonaws.cn",
    "aws-us-gov": "signin.amazonaws-us-gov.com",
    "aws-eusc": "signin.amazonaws-eusc.eu",
}
"""Of each partition; each region's own has the region before it."""


class Saml(Provider[SamlOptions]):
    """Signs in once for all roles of the assertion."""

    Options = SamlOptions

    def __init__(self, name: str, options: SamlOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._lock = threading.Lock()
        self._has_signed_in = False

    def login(self, request: Request) -> Credentials:
        """The request's role, taken with the assertion that still holds or with a new one."""
        assertion, is_kept = self._assertion()
        try:
            return self._take(assertion, request)
        except LoginRefused as error:
            if not (is_kept and "Expired" in error.message):
                raise
            self.ports.secrets.forget("assertion")  # this machine's clock thought otherwise
            return self._take(self._assertion()[0], request)

    def totp_entry(self, request: Request) -> str | None:
        """By user: one device serves all roles."""
        del request
        return f"totp/{self.ports.ui.username(self.options.username)}"

    @classmethod
    def cannot_narrow(cls, options: SamlOptions, request: Request) -> str | None:
        """AssumeRoleWithSAML takes session policies."""
        del options, request
        return None

    @classmethod
    def trusted_by(
        cls, options: SamlOptions, request: Request, environ: Mapping[str, str]
    ) -> TrustStatement | None:
        """The SAML provider in the role's account, for AWS's own audience."""
        del environ
        role = str(request.role_arn)
        partition = partition_of(request.region, role)
        provider, note = options.saml_provider_arn, ""
        if provider is None:
            provider = f"arn:{partition}:iam::{account_of(role)}:saml-provider/NAME"
            note = "NAME stands for IAM's SAML provider: set `saml_provider_arn` to name it"
        host = SIGN_IN_HOSTS.get(partition, SIGN_IN_HOSTS["aws"])
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithSAML", *request.further_trust],
            "Condition": {"StringEquals": {"SAML:aud": f"https://{host}/saml"}},
        }
        return statement, note

    def discover(self) -> list[Account]:
        """The accounts and roles that the assertion holds."""
        from providers.saml import roles

        return roles.accounts(self._assertion()[0])

    def logout(self) -> None:
        """Drop the assertion, and what would make the next sign-in a silent one."""
        self.ports.secrets.forget("assertion")
        self._idp().forget()

    def _assertion(self) -> tuple[Assertion, bool]:
        """The assertion of an earlier sign-in while STS takes it, else a new one's; which it is."""
        from providers.saml import assertion as saml

        with self._lock:
            stored = self.ports.secrets.recall("assertion")
            if stored:
                return saml.read(stored["response"], self.ports.clock.now()), True
            if self._has_signed_in:
                self.ports.ui.progress("the assertion has run out: signing in again")
            idp = self._idp()
            encoded = idp.response()
            idp.person.password_was_taken()
            read = saml.read(encoded, self.ports.clock.now())
            if read.usable_until <= self.ports.clock.now():
                raise LoginRefused(
                    "the assertion had run out when it came",
                    hint=f"it says {to_text(read.usable_until)}: check this machine's clock",
                )
            self.ports.secrets.remember("assertion", {"response": encoded}, until=read.usable_until)
            self._has_signed_in = True
            return read, False

    def _idp(self) -> IdentityProvider:
        """This kind of identity provider, and the person who signs in there."""
        from providers.saml.credentials import Person

        person = Person(
            self.ports,
            self.options.username,
            remember=self.options.remember_password,
            sites=self.options.password_origins(),
        )
        return load(self.options.idp)(self.options, self.ports, person)

    def _take(self, assertion: Assertion, request: Request) -> Credentials:
        """The role for as long as it is asked for, else as the assertion says, else for an hour."""
        from providers.saml import roles

        role = roles.choose(assertion, request, self.options.saml_provider_arn, self.ports.ui)
        wanted = request.duration or assertion.session_duration or HOUR
        try:
            taken = self._assume(role, assertion, wanted, request)
        except RoleRefused as error:
            if "durationseconds" not in error.message.lower() or wanted <= HOUR:
                raise
            self.ports.ui.warn(
                f"{role.role_arn} does not give {wanted} s; the session lasts 1 hour"
            )
            taken = self._assume(role, assertion, HOUR, request)
        ends = assertion.session_ends
        if ends and taken.expires_at and ends < taken.expires_at:
            return replace(taken, expires_at=ends)
        return taken

    def _assume(
        self, role: Role, assertion: Assertion, seconds: int, request: Request
    ) -> Credentials:
        from providers.saml import roles

        arns = [{"arn": arn} for arn in request.policy_arns]
        client = self.ports.aws.client("sts", region_for(role.role_arn, request.region))
        with (
            roles.explained(role, assertion, request.profile),
            self.ports.aws.errors(f"AssumeRoleWithSAML {role.role_arn}"),
        ):
            return credentials_of(
                client.assume_role_with_saml(
                    RoleArn=role.role_arn,
                    PrincipalArn=role.provider_arn,
                    SAMLAssertion=assertion.encoded,
                    DurationSeconds=seconds,
                    **({"Policy": request.policy} if request.policy else {}),
                    **({"PolicyArns": arns} if arns else {}),
                )
            )
