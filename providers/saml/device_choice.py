"""Which of the ways that pages offer is taken; one that failed is not taken for ever."""

from __future__ import annotations

from collections.abc import Sequence

from broker.errors import LoginRefused
from broker.ports.ui import Ui
from providers.saml import factors
from providers.saml.choices import Option
from providers.saml.factors import CODES, Factor
from providers.saml.forms import Form


class DeviceChoice:
    """The choices of one sign-in.

    Args:
        mfa: `mfa` of the YAML: the second factor to take.
        ui: The person.

    Attributes:
        factor: The second factor that was chosen last.
    """

    def __init__(self, mfa: str | None, ui: Ui) -> None:
        self.mfa = mfa
        self.factor: Factor | None = None
        self._ui = ui
        self._picked: list[str] = []

    def pick(self, options: Sequence[tuple[Option, Form]]) -> tuple[Option, Form]:
        """The way that the person, or `mfa`, chooses among those that a page offers."""
        offered = [
            Factor(option.kind, option.label, (option, form), _id(option))
            for option, form in options
        ]
        self.factor = factors.choose(offered, self.mfa, self._ui)
        tries = self._picked.count(self.factor.label)
        by_person = self.mfa is None and len(offered) > 1
        if tries and not (by_person and tries < CODES):
            raise LoginRefused(
                f"the identity provider did not accept “{self.factor.label}”",
                hint="try again, or set `mfa` of the provider to another factor",
            )
        self._picked.append(self.factor.label)
        chosen: tuple[Option, Form] = self.factor.handle
        return chosen

    def again(self, options: Sequence[Option]) -> Option | None:
        """The device that was chosen already, when its code is asked again."""
        if self.factor is None:
            return None
        chosen: Option = self.factor.handle[0]
        same = [option for option in options if option.values == chosen.values]
        like = [option for option in options if option.label == chosen.label]
        return next(iter(same), like[0] if len(like) == 1 else None)


def _id(option: Option) -> str:
    """What the page itself calls the way."""
    return next(iter(option.values.values()), "")
