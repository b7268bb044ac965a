"""What the YAML says of a SAML provider: where the sign-in starts, and who signs in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from broker.errors import UnexpectedReply
from broker.paths import expanded
from broker.ports.urls import origin, require_safe
from broker.provider import ProviderOptions
from providers.saml.kinds import KINDS, problem


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

    @field_validator("url", mode="before")
    @classmethod
    def _without_blanks(cls, url: object) -> object:
        return url.strip() if isinstance(url, str) else url

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
        fault = problem(self.idp, {name for name in self.model_fields_set if self._has(name)})
        if fault:
            raise ValueError(fault)
        return self

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    def secret_sites(self) -> tuple[str, ...]:
        """Passwords, seeds and client secrets are kept for the sites that may receive them."""
        return tuple(sorted(self.password_origins()))

    def password_origins(self) -> set[str]:
        """The sites that may receive the password."""
        hosts = [*self.hosts, *KINDS[self.idp].password_hosts]
        return {origin(url) for url in [*map(_site, hosts), *([self.url] if self.url else [])]}


def _site(host: str) -> str:
    """An entry of `hosts` as an address: a bare host means https on 443."""
    return host if "://" in host else f"https://{host}"
