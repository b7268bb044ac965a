"""Fetches and builds the clients before the tests want them."""

from tests.real.parts.clients import prepared

prepared()
