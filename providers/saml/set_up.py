"""Pages that want something set up, rather than what signs in: a new password, an authenticator."""

from __future__ import annotations

from providers.saml.page import Page

_QR = "img[alt*=qr i], img[src*=qr i], [id*=qrcode i], [id*=qr-code i], [class*=qrcode i]"
_SEEDS = ("secret", "totpSecret", "secretKey", "secret_key", "seed")


def wants_new_password(page: Page, before: Page | None) -> bool:
    """Whether it asks for several passwords where the page before asked for one."""
    return _passwords(page) > 1 and not (before and _passwords(before) > 1)


def shows_seed(page: Page) -> bool:
    """Whether it shows a seed, for an authenticator to take, beside the code that proves it."""
    seeds = (form.value(name) for form in page.forms for name in _SEEDS)
    shown = any(not page.outline.is_hidden(tag) for tag in page.soup.select(_QR))
    return shown or any(seeds)


def _passwords(page: Page) -> int:
    """How many passwords the form with most of them asks for."""
    return max(
        (
            sum(field.type == "password" and not field.is_hidden for field in form.typed)
            for form in page.forms
        ),
        default=0,
    )
