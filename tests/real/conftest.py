"""Real programs as fixtures. What a test wants to be different, it starts itself from `parts`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.parts import keycloak as keycloak_part
from tests.real.parts import moto as moto_part
from tests.real.parts import openid_provider as openid_provider_part
from tests.real.parts import secret_service as services
from tests.real.parts import simplesamlphp as saml
from tests.real.parts.aws import ADMIN, READ_ONLY
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.moto import Moto
from tests.real.parts.openid_provider import OpenIdProvider
from tests.real.parts.simplesamlphp import Person, SimpleSamlPhp


@pytest.fixture
def secret_service(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a desktop with an unlocked, empty Secret Service."""
    with services.unlocked(tmp_path / "desktop") as environ:
        yield environ


@pytest.fixture(scope="session")
def simplesamlphp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSamlPhp]:
    """SimpleSAMLphp with ann, who has one role, and ben, who has two."""
    people = {
        "ann": Person("hunter2 is not it", (ADMIN,), duration=7200),
        "ben": Person("swordfish", (ADMIN, READ_ONLY), session_name="ben@corp.example"),
    }
    with saml.running(tmp_path_factory.mktemp("simplesamlphp"), people) as idp:
        yield idp


@pytest.fixture(scope="session")
def openid_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    """npm's `oidc-provider`, where anybody may sign in."""
    with openid_provider_part.running(tmp_path_factory.mktemp("openid-provider")) as provider:
        yield provider


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    """The one Keycloak of this machine. A test that signs in with a code adds its own person."""
    with keycloak_part.running() as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """moto's server, whose state a test resets."""
    with moto_part.running(tmp_path_factory.mktemp("moto")) as server:
        yield server
