"""SAML: a sign-in at an identity provider, its assertion, and a role taken with it at STS.

Owns the story of one SAML login. Source: AWS STS API Reference, AssumeRoleWithSAML; an assertion
serves all its roles until it runs out.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from broker.arn import region_for
from broker.durations import HOUR
from broker.errors import LoginRefused, RoleRefused, UnexpectedReply
from broker.paths import expanded
from broker.ports.aws import credentials_of
from broker.ports.clock import to_text
from broker.ports.urls import origin, require_safe
from broker.provider import Account, Credentials, Provider, ProviderOptions, Request
from providers.saml import kinds
from providers.saml.kinds import KINDS


class FieldSelectors(ProviderOptions):
    """CSS selectors for `idp: form`, where the page's own names do not tell."""

    username: str | None = None
    password: str | None = None
    code: str | None = None
    error: str | None = None

    @field_validator("*")
    @classmethod
    def _is_css(cls, selector: str | None) -> str | None:
        import soupsieve

        try:
            soupsieve.compile(selector or "x")
        except soupsieve.SelectorSyntaxError as error:
            raise ValueError(f"not a CSS selector: {str(error).splitlines()[0]}") from None
        return selector


class SamlOptions(ProviderOptions):
    """Where the sign-in starts, and who signs in."""

    idp: Literal[tuple(KINDS)]  # type: ignore[valid-type]
    url: str | None = None
    username: str | None = None
    saml_provider_arn: str | None = Field(
        default=None, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:saml-provider/[A-Za-z0-9_.-]+$"
    )
    mfa: str | None = None
    hosts: tuple[str, ...] = ()
    remember_password: bool = False
    fields: FieldSelectors | None = None
    client_id: str | None = Field(default=None, coerce_numbers_to_str=True)
    app_id: str | None = Field(default=None, coerce_numbers_to_str=True)
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    subdomain: str | None = None
    browser: Literal["chromium", "chrome", "edge"] | None = None
    executable: str | None = None
    headless: Literal["auto", True, False] = "auto"

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        try:
            require_safe(url or "https://none")
        except UnexpectedReply as error:
            raise ValueError(error.message) from None
        return url

    @field_validator("hosts")
    @classmethod
    def _are_sites(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            try:
                require_safe(_site(host))
            except UnexpectedReply as error:
                raise ValueError(error.message) from None
        return hosts

    @field_validator("executable")
    @classmethod
    def _depends_on_no_folder(cls, path: str | None) -> str | None:
        if path and Path(path).name != path and not expanded(path).is_absolute():
            raise ValueError("`executable` must be a full path, or a program's bare name")
        return path

    @model_validator(mode="after")
    def _fits_its_kind(self) -> SamlOptions:
        told = kinds.problem(self.idp, {name for name in self.model_fields_set if self._has(name)})
        if told:
            raise ValueError(told)
        return self

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    def password_origins(self) -> set[str]:
        """The sites that may receive the password."""
        hosts = [*self.hosts, *KINDS[self.idp].password_hosts]
        return {origin(url) for url in [*map(_site, hosts), *([self.url] if self.url else [])]}

    def secret_sites(self) -> tuple[str, ...]:
        """Passwords, seeds and client secrets are kept for the sites that may receive them."""
        return tuple(sorted(self.password_origins()))


def _site(host: str) -> str:
    """An entry of `hosts` as an address: a bare host means https on 443."""
    return host if "://" in host else f"https://{host}"


class Saml(Provider):
    """Signs in once for all roles of the assertion."""

    Options = SamlOptions
    options: SamlOptions

    def __init__(self, name: str, options: Any, ports: Any) -> None:
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

    def discover(self) -> list[Account]:
        """The accounts and roles that the assertion holds."""
        from providers.saml import roles

        return roles.accounts(self._assertion()[0])

    def logout(self) -> None:
        """Drop the assertion, and what would make the next sign-in a silent one."""
        self.ports.secrets.forget("assertion")
        self._idp().forget()

    def _assertion(self) -> tuple[Any, bool]:
        """The assertion of an earlier sign-in while STS takes it, else a new one's; which it is."""
        from providers.saml import assertion as saml

        with self._lock:
            kept = self.ports.secrets.recall("assertion")
            if kept:
                return saml.read(kept["response"], self.ports.clock.now()), True
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

    def _idp(self) -> Any:
        """This kind of identity provider, and the person who signs in there."""
        from providers.saml.credentials import Person

        person = Person(self.ports, self.options.username, remember=self.options.remember_password)
        return kinds.load(self.options.idp)(self.options, self.ports, person)

    def _take(self, assertion: Any, request: Request) -> Credentials:
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

    def _assume(self, role: Any, assertion: Any, seconds: int, request: Request) -> Credentials:
        arns = [{"arn": arn} for arn in request.policy_arns]
        client = self.ports.aws.client("sts", region_for(role.role_arn, request.region))
        with self.ports.aws.errors(f"AssumeRoleWithSAML {role.role_arn}"):
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
