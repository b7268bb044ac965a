"""`python -m tests.real.parts.openid_provider` fetches the package."""

from tests.real.parts.openid_provider import prepared

prepared()
