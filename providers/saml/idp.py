"""What each kind of identity provider is: a way from the options to the SAMLResponse.

One file in `idps/` and one line in its table make a new kind. What to do with the response (read
it, choose a role, go to STS, keep it while it holds) is `provider`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING

from providers.saml.kinds import KINDS

if TYPE_CHECKING:
    from broker.ports import Ports
    from providers.saml.credentials import Person
    from providers.saml.options import SamlOptions


class IdentityProvider(ABC):
    """One sign-in.

    Args:
        options: The provider's part of the YAML, checked.
        ports: http, aws, ui, secrets, clock, browser.
        person: Who signs in: user name, password, codes.
    """

    def __init__(self, options: SamlOptions, ports: Ports, person: Person) -> None:
        self.options = options
        self.ports = ports
        self.person = person

    @property
    def url(self) -> str:
        """`url` of the YAML, for kinds that need it."""
        assert self.options.url
        return self.options.url

    @abstractmethod
    def response(self) -> str:
        """Sign in; the SAMLResponse, base64.

        Raises:
            LoginRefused: Wrong password or code, or the account may not sign in.
            InteractionRequired: A person is needed.
            UnexpectedReply: A page or state that is not understood; it is named.
        """

    def forget(self) -> None:
        """Drop what a later sign-in would be shortened by (a remembered device, a browser)."""


def load(idp: str) -> type[IdentityProvider]:
    """The class of a kind."""
    file, name = KINDS[idp].place.split(":")
    loaded: type[IdentityProvider] = getattr(import_module(f"providers.saml.idps.{file}"), name)
    return loaded
