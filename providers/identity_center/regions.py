"""The Regions of one instance: the first that can be reached serves.

Each has a registration, a token and a portal of its own, as AWS replicates no sign-in of programs.
A Region that answers is never passed over, whatever it says. Owns the order, and who served.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeVar

from broker.errors import AwsLoginError, InteractionRequired, NetworkError, Throttled
from broker.ports import Ports
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.place import Place
from providers.identity_center.portal import Portal
from providers.identity_center.start_url import AddressUnreachable
from providers.identity_center.token import TokenOfSignIn

UNREACHABLE_FOR = 60.0
"""Seconds for which this process asks a Region last that it could not reach."""
_SERVED = "served"
"""What is remembered: role (`ACCOUNT/ROLE`, or empty for whichever) → the Region that gave it."""

AHEAD = "`awslogin login --all-regions` signs in everywhere ahead of need"

T = TypeVar("T")


@dataclass(frozen=True)
class Center:
    """Identity Center in one Region."""

    place: Place
    token: TokenOfSignIn
    portal: Portal


class Regions:
    """All Regions of a provider; its methods may be called from many threads."""

    def __init__(self, name: str, options: IdentityCenterOptions, ports: Ports) -> None:
        self._name = name
        self._ports = ports
        self._lock = threading.Lock()
        self._unreachable_since: dict[str, float] = {}
        first, *others = options.regions
        self._region_is_given = bool(first)
        self.all = [_center(name, options, ports, first)]
        for region in others:
            own = replace(ports, secrets=ports.secrets.within(region))
            self.all.append(_center(name, options, own, region))

    def served(self, what: Callable[[Center], T], role: str = "") -> T:
        """The result of the first Region that can be reached.

        Args:
            what: Asks one of them.
            role: Which role that gives, `ACCOUNT/ROLE`.

        Raises:
            NetworkError: None can be reached; each is named.
        """
        faults: list[str] = []
        for center in self._in_order():
            try:
                result = what(center)
            except NetworkError as error:
                if len(self.all) == 1 or not says_unreachable(error):
                    raise
                faults.append(self._note_unreachable(center, error))
            except AwsLoginError as error:
                if not faults:
                    raise
                failure = _reworded(error, f"{error.message} ({'; '.join(faults)})")
                failure.hint += f"; {AHEAD}" if isinstance(error, InteractionRequired) else ""
                raise failure from error
            else:
                self._note_served(center, role)
                return result
        raise NetworkError(
            f"no Region of {self._name} can be reached ({'; '.join(faults)})",
            hint="check the network and the proxy, or try again later",
        )

    def who_served(self, role: str) -> str | None:
        """The Region that gave a role last, else any; None where there is one, or none did.

        Of a company's own address that tells its Region, the one that it has told.
        """
        if len(self.all) == 1:
            return None if self._region_is_given else self.all[0].token.kept_region()
        served = self._ports.secrets.recall(_SERVED) or {}
        return served.get(role) or served.get("")

    def sign_in_everywhere(self) -> list[AwsLoginError]:
        """A sign-in in each Region, ahead of need; the failures."""
        failures: list[AwsLoginError] = []
        for center in self.all:
            try:
                center.token.get()
            except AwsLoginError as error:
                failures.append(_reworded(error, f"{center.place.region}: {error.message}"))
        return failures

    def _in_order(self) -> list[Center]:
        """As configured, those last that could not be reached a moment ago."""
        now = self._ports.clock.monotonic()
        with self._lock:
            since = dict(self._unreachable_since)

        def is_down(center: Center) -> bool:
            return now - since.get(center.place.region, float("-inf")) < UNREACHABLE_FOR

        return sorted(self.all, key=is_down)

    def _note_unreachable(self, center: Center, error: NetworkError) -> str:
        region = center.place.region
        with self._lock:
            is_new = region not in self._unreachable_since
            self._unreachable_since[region] = self._ports.clock.monotonic()
        fault = f"{region} cannot be reached: {error.message}"
        if is_new and center is not self.all[-1]:
            self._ports.ui.warn(f"{fault}; asking the next Region")
        return fault

    def _note_served(self, center: Center, role: str) -> None:
        """Remember it for `status` and `explain`."""
        if len(self.all) == 1:
            return
        region = center.place.region
        with self._lock:
            self._unreachable_since.pop(region, None)
            served = self._ports.secrets.recall(_SERVED) or {}
            if served != (new := served | {"": region, role: region}):
                self._ports.secrets.remember(_SERVED, new, until=None)


def says_unreachable(error: NetworkError) -> bool:
    """Whether a failure means that the Region was not reached, or fails: no pause, no refusal."""
    return not isinstance(error, Throttled | AddressUnreachable)


def _reworded(error: AwsLoginError, message: str) -> AwsLoginError:
    """The same failure in other words; the first may be another thread's, too."""
    reworded = copy(error)
    reworded.message, reworded.args = message, (message,)
    return reworded


def _center(name: str, options: IdentityCenterOptions, ports: Ports, region: str) -> Center:
    place = Place(options, ports, region)
    token = TokenOfSignIn(name, options, place, ports)
    return Center(place, token, Portal(place, ports, token))
