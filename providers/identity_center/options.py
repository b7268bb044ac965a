"""What the YAML says of an Identity Center instance. Owns the form of the start URL."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from broker.ports.urls import is_loopback
from broker.provider import ProviderOptions
from broker.regions import REGION

SCOPE = "sso:account:access"


def plain_start_url(url: str) -> str:
    """The start URL as the service compares it: without fragment, query and trailing slash.

    Raises:
        ValueError: No address of that kind.
    """
    parts = urlsplit(url.strip().replace("\\", ""))  # a shell's or a wiki's `/\#/`
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError("an address such as https://corp.awsapps.com/start")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http is accepted for loopback addresses alone")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


_DUAL_STACK = (".app.aws", ".api.amazonwebservices.eu", ".app.amazonwebservices.com.cn")
"""Ends of portals' hosts that dual-stack endpoints serve, and those alone."""


class IdentityCenterOptions(ProviderOptions):
    """`start_url` and `region` of the instance; the rest is rarely needed.

    `region` may be left out where the start URL's host tells it.
    """

    start_url: Annotated[str, AfterValidator(plain_start_url)]
    region: str = Field(default="", pattern=f"^({REGION})?$")
    flow: Literal["auto", "pkce", "device"] = "auto"
    scopes: tuple[str, ...] = (SCOPE,)
    callback_port: int = Field(default=0, ge=0, le=65535)
    share_token_cache: str | None = Field(default=None, pattern=r"^[^\x00-\x1f]+$")

    @model_validator(mode="before")
    @classmethod
    def _with_its_region(cls, given: Any) -> Any:
        """The region that the host tells stands for one that is left out."""
        if not isinstance(given, dict) or given.get("region") or "start_url" not in given:
            return given
        region = _region_in(str(given["start_url"]))
        if region is None:
            raise ValueError("`region` is needed: the host of `start_url` does not tell it")
        return given | {"region": region}

    def sign_in(self, **who: Any) -> dict[str, Any]:
        """Two files, teams or flows share a sign-in; two people have two provider names."""
        del who
        return {
            "start_url": self.start_url,
            "region": self.region,
            "scopes": sorted({*self.scopes}),
        }

    @property
    def region_in_start_url(self) -> str | None:
        """The region that hosts like `….portal.eu-west-1.app.aws` name."""
        return _region_in(self.start_url)

    @property
    def dual_stack(self) -> bool | None:
        """True for a portal that dual-stack endpoints serve; None leaves it to the environment."""
        return (urlsplit(self.start_url).hostname or "").endswith(_DUAL_STACK) or None


def _region_in(url: str) -> str | None:
    try:
        labels = (urlsplit(url.strip()).hostname or "").split(".")
    except ValueError:
        return None
    return next((label for label in labels[1:] if re.fullmatch(REGION, label)), None)
