"""Providers whose pages a test writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.saml.site import Site
from tests.sandbox import Sandbox


@pytest.fixture
def site(sandbox: Sandbox) -> Iterator[Site]:
    made = Site(sandbox)
    yield made
    made.stop()


@pytest.fixture
def other(sandbox: Sandbox) -> Iterator[Site]:
    made = Site(sandbox)
    yield made
    made.stop()
