"""Where the Identity Center of one Region is. A company's own address is asked at each sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.errors import ConfigError
from broker.ports import Ports
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.start_url import (
    AddressUnreachable,
    in_region,
    is_aws_own,
    is_dual_stack,
    led_to,
    region_in,
    stands_in_for_aws,
)


class Place:
    """One Region of an instance.

    Attributes:
        start_url: The portal's address; a company's own until it is known where that leads.
        region: Its Region; empty until a company's own address has told it.
        among: How many Regions may serve; they share the time of a command.
    """

    def __init__(self, options: IdentityCenterOptions, ports: Ports, region: str) -> None:
        self._given = options.start_url
        self._may_serve = options.regions
        self._ports = ports
        self._is_known = False
        self.region = region
        self.among = len(options.regions)
        self.start_url = self._here(options.start_url)

    @property
    def dual_stack(self) -> bool | None:
        """Whether dual-stack endpoints serve it; None leaves it to the environment."""
        return is_dual_stack(self.start_url)

    def find(self) -> None:
        """Ask a company's own address where it leads, for a sign-in that begins now.

        Raises:
            ConfigError: It leads to no portal of AWS's, or to one whose Region nobody tells.
            NetworkError: It does not answer, and no earlier sign-in tells.
        """
        if is_aws_own(self._given):
            return
        try:
            portal = self._given
            if not stands_in_for_aws(portal, self._ports):
                portal = led_to(portal, self._ports)
        except AddressUnreachable as error:
            if not self._is_known:
                raise
            self._ports.ui.warn(f"{error.message}: taking {self.start_url}, where it led before")
            return
        self._settle(portal)

    def recall(self, token: Mapping[str, Any]) -> None:
        """Take it from a kept sign-in, which has worked there."""
        if is_aws_own(self._given):
            return
        self.region = self.region or str(token["region"])
        if is_aws_own(str(token["startUrl"])):
            self.start_url, self._is_known = str(token["startUrl"]), True

    def _settle(self, portal: str) -> None:
        region_of_host = region_in(portal) if portal != self._given else None
        if region_of_host and any(self._may_serve) and region_of_host not in self._may_serve:
            raise ConfigError(
                f"{self._given} leads to {portal}, which is in {region_of_host},"
                f" not in {' or '.join(self._may_serve)}",
                hint=f"set `region: {region_of_host}` of the provider, or leave it out",
            )
        if not (self.region or region_of_host):
            raise ConfigError(
                f"`region` is needed: {portal} does not tell it",
                hint="set `region` of the provider to the one Identity Center itself is in",
            )
        self.region = self.region or str(region_of_host)
        self.start_url, self._is_known = self._here(portal), True

    def _here(self, portal: str) -> str:
        """The portal's address in this Region, where each of several has its own."""
        return in_region(portal, self.region) if self.among > 1 else portal
