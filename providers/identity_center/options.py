"""What the YAML says of an Identity Center instance. Owns the form of the start URL."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

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


class IdentityCenterOptions(ProviderOptions):
    """`start_url` and `region` of the instance; the rest is rarely needed."""

    start_url: Annotated[str, AfterValidator(plain_start_url)]
    region: str = Field(pattern=f"^{REGION}$")
    flow: Literal["auto", "pkce", "device"] = "auto"
    scopes: tuple[str, ...] = (SCOPE,)
    callback_port: int = Field(default=0, ge=0, le=65535)
    share_token_cache: str | None = Field(default=None, pattern=r"^[^\x00-\x1f]+$")

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
        labels = (urlsplit(self.start_url).hostname or "").split(".")
        return next((label for label in labels[1:] if re.fullmatch(REGION, label)), None)
