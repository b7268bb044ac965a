"""What the YAML says of an Identity Center instance."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from broker.provider import ProviderOptions
from broker.regions import REGION, flaw_in_region, partition_of_region
from providers.identity_center.start_url import is_aws_own, plain_start_url, region_in

SCOPE = "sso:account:access"
MOST_REGIONS = 4
_Region = Annotated[str, Field(pattern=f"^({REGION})?$")]


class IdentityCenterOptions(ProviderOptions):
    """`start_url` and `region` of the instance; the rest is rarely needed.

    `region` may be left out where the start URL's host tells it, or where a company's own address
    leads to one that does. Of several the first that can be reached serves.
    """

    start_url: Annotated[str, AfterValidator(plain_start_url)]
    region: _Region | tuple[_Region, ...] = ""
    flow: Literal["auto", "pkce", "device"] = "auto"
    scopes: tuple[str, ...] = (SCOPE,)
    callback_port: int = Field(default=0, ge=0, le=65535)
    share_token_cache: str | None = Field(default=None, pattern=r"^[^\x00-\x1f]+$")

    @model_validator(mode="before")
    @classmethod
    def _with_its_region(cls, given: Any) -> Any:
        """The region that the host tells stands for one that is left out."""
        if not isinstance(given, dict) or "start_url" not in given:
            return given
        if given.get("region") not in (None, ""):
            return given
        url = str(given["start_url"])
        region = region_in(url)
        if region is None and is_aws_own(url):
            raise ValueError("`region` is needed: the host of `start_url` does not tell it")
        return given | {"region": region or ""}

    @field_validator("region", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        """A region's name, or different ones in a list; a list of one is that one."""
        names = list(given) if isinstance(given, list | tuple) else [given]
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(f"({REGION})?", name):
                raise ValueError(f"{name!r} is no region, such as eu-west-1")
        if isinstance(given, str):
            return given
        if not all(names) or len({*names}) < len(names) or not 1 <= len(names) <= MOST_REGIONS:
            raise ValueError(f"a list of regions has 1 to {MOST_REGIONS} different ones")
        if flaw := next(filter(None, map(flaw_in_region, names)), None):
            # it would look like a Region that cannot be reached
            raise ValueError(flaw.replace("AWS has", "there is", 1))
        if len({*map(partition_of_region, names)}) > 1:
            raise ValueError("the regions of one instance are in one partition")
        return names[0] if len(names) == 1 else names

    @model_validator(mode="after")
    def _fits_several(self) -> IdentityCenterOptions:
        region = region_in(self.start_url)
        if region and len(self.regions) > 1 and region not in self.regions:
            raise ValueError(
                f"the host of `start_url` tells {region}, which `region` does not list"
            )
        if self.share_token_cache and len(self.regions) > 1:
            raise ValueError("`share_token_cache` takes one `region`: AWS CLI keeps one token")
        return self

    @property
    def region_of_its_own(self) -> str | None:
        """The first that serves."""
        return self.regions[0] or None

    @property
    def regions(self) -> tuple[str, ...]:
        """In the order in which they serve; one empty name where the address must tell it."""
        return (self.region,) if isinstance(self.region, str) else self.region

    def sign_in(self, **who: Any) -> dict[str, Any]:
        """Two files, teams or flows share a sign-in; two people have two provider names.

        The sign-in of the first region is that of a provider with no other; each further region's
        is kept under it.
        """
        del who
        return {
            "start_url": self.start_url,
            "region": self.regions[0],
            "scopes": sorted({*self.scopes}),
        }
