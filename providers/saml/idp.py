"""What each kind of identity provider is: a way from the options to the SAMLResponse.

One file in `idps/` and one line in its table make a new kind. What to do with the response (read
it, choose a role, go to STS, keep it while it holds) is `provider`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.ports import Ports
    from broker.ports.http import Reply
    from providers.saml.credentials import Person
    from providers.saml.page import Page
    from providers.saml.provider import SamlOptions
    from providers.saml.walk import SignIn


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


class PageReader(ABC):
    """Knows the pages of one provider that the common rules would misread.

    The follow loop asks those in `kinds.READERS` about every page, whatever `idp` says: one
    provider's sign-in often leads through another's. Both methods keep no state; what must last
    from page to page is the walk's.
    """

    @classmethod
    @abstractmethod
    def recognises(cls, page: Page) -> bool:
        """Whether this page is this provider's, told by its structure."""

    @classmethod
    @abstractmethod
    def answer(cls, page: Page, walk: SignIn) -> Reply | None:
        """Take the next step, or return None to leave the page to the common rules.

        It may put values into the page's forms before it leaves them to those.

        Raises:
            LoginRefused, UnexpectedReply, InteractionRequired: as `IdentityProvider.response`.
        """
