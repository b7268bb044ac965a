"""HTTPS: whose certificates are trusted, by AWS's library and by the http port."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts import certificate
from tests.sandbox import Sandbox
from tests.support import Home


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox, tmp_path: Path) -> Home:
    """STS and an identity provider that show a certificate which nobody trusts yet."""
    certificate.write(tmp_path, "loopback")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "loopback.crt", tmp_path / "loopback.pem")
    for name in ("sts", "idp"):
        server = sandbox.services[name]._server
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    sandbox.idp.url = sandbox.idp.url.replace("http:", "https:")
    signed_up.config(config("dev", "prod", sandbox=sandbox))
    sts = sandbox.urls["sts"].replace("http:", "https:")
    signed_up.environ |= {
        "AWS_ENDPOINT_URL_STS": sts,
        "AWSLOGIN_PASSWORD": sandbox.world.people["ann"].password,
    }
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.mark.parametrize("profile", ["dev", "prod"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_known_certificate(team: Home, tmp_path: Path, profile: str, variable: str) -> None:
    """The first variable stands in for the system's own store."""
    known = {variable: str(tmp_path / "loopback.crt")}
    assert team.run(profile, "--output", "json", env=known).ok().json["expires_at"]


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_an_empty_variable_names_no_file(team: Home, tmp_path: Path, profile: str) -> None:
    env = {"SSL_CERT_FILE": str(tmp_path / "loopback.crt")}
    env |= {"AWS_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": ""}
    team.run(profile, env=env).ok()


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_an_unknown_certificate(team: Home, sandbox: Sandbox, profile: str) -> None:
    asked = len(sandbox.requests)
    error = team.run(profile, "--output", "json").error
    assert error["exit"] == 5
    assert "certificate" in error["message"]
    assert len(sandbox.requests) == asked


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_a_named_file_counts_alone(team: Home, tmp_path: Path, profile: str) -> None:
    certificate.write(tmp_path, "another")
    env = {
        "SSL_CERT_FILE": str(tmp_path / "loopback.crt"),
        "AWS_CA_BUNDLE": str(tmp_path / "another.crt"),
    }
    assert team.run(profile, "--output", "json", env=env).error["exit"] == 5
