"""Endpoints that the environment sets in place of AWS's. Owns the variables and what is safe."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import ConfigError, UnexpectedReply
from broker.ports.urls import require_safe
from broker.regions import partition_of_region

SERVICES = {
    "sts": "STS",
    "sso": "SSO",
    "sso-oidc": "SSO_OIDC",
    "iam": "IAM",
    "signin": "SIGNIN",
    "athena": "ATHENA",
    "s3": "S3",
}
"""AWS's services that are used here, and what their variables call them."""


def has_fips(service: str, region: str) -> bool:
    """Whether there is a host of its own for FIPS, as AWS_USE_FIPS_ENDPOINT asks for one.

    Identity Center and the sign-in service have none (GovCloud's ordinary hosts are FIPS hosts),
    STS, Athena and S3 have them in the regions of the USA, and no other partition has any.
    Source: botocore's `endpoints.json`.
    """
    if partition_of_region(region) not in {"aws", "aws-us-gov"}:
        return False
    if service in {"sts", "athena", "s3"}:
        return region.startswith("us-")
    return service == "iam"


def endpoint_override(service: str, environ: Mapping[str, str]) -> str | None:
    """The endpoint that the environment sets for a service of `SERVICES`.

    Raises:
        ConfigError: It is plain http to another machine, or no URL.
    """
    name = f"AWS_ENDPOINT_URL_{SERVICES[service]}"
    name = name if environ.get(name) else "AWS_ENDPOINT_URL"
    return _checked(name, environ)


def federation_override(environ: Mapping[str, str]) -> str | None:
    """The console's federation endpoint that the environment sets, as a full address.

    Raises:
        ConfigError: It is plain http to another machine, or no URL.
    """
    given = _checked("AWSLOGIN_FEDERATION_URL", environ)
    if given:
        return given
    signin = "AWS_ENDPOINT_URL_SIGNIN"
    base = _checked(signin if environ.get(signin) else "AWS_ENDPOINT_URL", environ)
    return f"{base.rstrip('/')}/federation" if base else None


def _checked(name: str, environ: Mapping[str, str]) -> str | None:
    """The address in a variable, if it may be used."""
    url = environ.get(name)
    if not url:
        return None
    try:
        require_safe(url)
    except UnexpectedReply as error:
        raise ConfigError(f"{name}: {error.message}", hint=error.hint) from None
    return url
