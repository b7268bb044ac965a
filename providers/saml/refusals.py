"""What a page that does not lead on means, in the provider's own words."""

from __future__ import annotations

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.urls import host_of, without_query
from providers.saml.page import Page

BROWSER = "`idp: browser` can sign in through any page"


class NeedsBrowserError(UnexpectedReply):
    """What a browser alone can go on from."""


def needs_browser(where: str, what: str) -> NeedsBrowserError:
    """The provider does what a browser alone can go on from.

    Args:
        where: An address of the provider.
        what: Such as `asks for a captcha`.
    """
    return NeedsBrowserError(f"{host_of(where)} {what}", hint=BROWSER)


class UnknownPageError(NeedsBrowserError):
    """A page that we do not understand, or that asks for what cannot be given here.

    Args:
        page: The page.
        why: What about it; that it is not understood, if nothing is said.
        also: Another mend than the browser.
    """

    def __init__(self, page: Page, why: str = "", *, also: str = "") -> None:
        message = page.error() or ("" if page.forms else page.text("h1, h2"))
        super().__init__(
            f"{without_query(page.url)} shows {page.title}, which"
            f" {why or 'awslogin does not understand'}"
            + (f"; it says: {message}" if message and message not in page.title else ""),
            hint=f"{BROWSER}{also}; --debug-page FILE saves this one",
        )


def refusal(page: Page, otherwise: str, *, hint: str = "") -> LoginRefused:
    """The provider refuses.

    Args:
        page: Says why.
        otherwise: What is said where the page does not.
        hint: The mend.
    """
    message = page.error()
    return LoginRefused(
        f"the identity provider says: {message}" if message else otherwise,
        hint=hint or "ask its helpdesk",
    )


def demand(page: Page, what: str) -> LoginRefused:
    """The provider wants something set up before it lets the person in."""
    message = page.error() or page.heading()
    return LoginRefused(
        f"the identity provider {what}: {message}",
        hint=f"do that in a browser at {without_query(page.url)}, then sign in again",
    )
