"""`console`: the AWS console, signed in, in the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.login_options import login_options
from broker.errors import UsageError
from broker.provider import KeyHolder

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import SessionRequirements
    from broker.provider import Credentials

BROWSER_COMES = 30.0
"""Seconds that the browser has to fetch the address."""


@command()
@profile_argument()
@click.option("--service", metavar="S", help="Open this service: s3, ec2, cloudwatch, …")
@click.option("--destination", metavar="URL", help="Open this page of the console.")
@click.option("--print", "print_it", is_flag=True, help="Print the address, open no browser.")
@click.option(
    "--policy-arn",
    "policy_arns",
    metavar="ARN",
    multiple=True,
    help="What a user without a role may do there.",
)
@login_options
def console(
    app: App,
    *,
    profile: str | None,
    service: str | None,
    destination: str | None,
    print_it: bool,
    policy_arns: tuple[str, ...],
    duration: int | None,
    requirements: SessionRequirements,
) -> None:
    """Open the AWS console with the session.

    The address signs in whoever opens it within 15 minutes.
    """
    from broker import federation
    from broker.ports.aws_endpoints import federation_override

    chosen = app.profile(profile, duration)
    if policy_arns and not chosen.is_bare_keys:
        raise UsageError("--policy-arn is for a user without a role", hint="leave it out")
    region, partition = chosen.region, federation.partition_of(chosen)
    page = federation.destination(partition, region, service=service, url=destination)
    with app.naming(chosen.name):
        credentials, seconds = _credentials(app, chosen, policy_arns, requirements)
        endpoint = federation.endpoint(partition, region, app.environ)
        if federation_override(app.environ):
            app.broker.aws.tell_of(endpoint)
        token = federation.signin_token(app.broker.http, endpoint, credentials, seconds)
    address = federation.login_url(endpoint, page, token)
    opened = not print_it and _opened(app, address)
    if app.output == "json":
        app.say_json({"profile": chosen.name, "opened": opened, "url": None if opened else address})
    elif opened:
        app.say(f"{chosen.name}: the console opens in the browser\n")
    else:
        app.say_exactly(f"{address}\n")


def _opened(app: App, address: str) -> bool:
    """Open the browser at a door to the address: its command line is for all users to read."""
    from broker.ports.loopback import OneUseAddress

    with OneUseAddress(address) as door:
        if not app.ui.browse(door.url):
            return False
        if door.was_used(BROWSER_COMES):
            return True
    app.note(f"no browser came within {BROWSER_COMES:.0f} s; open the address by hand")
    return False


def _credentials(
    app: App, profile: Profile, policy_arns: tuple[str, ...], requirements: SessionRequirements
) -> tuple[Credentials, int | None]:
    """What the console takes of this profile, and the SessionDuration that goes with it.

    AWS takes one only with the credentials of a first AssumeRole*: not with those of a chained one,
    and not with GetFederationToken's. It is as long as the session itself.
    """
    broker = app.broker
    provider = broker.plugins.provider_of(profile)
    request = profile.request()
    if isinstance(provider, KeyHolder) and profile.is_bare_keys:
        wanted = replace(request, policy_arns=(*request.policy_arns, *policy_arns))
        return provider.federate(wanted), None
    session = app.login.session(profile, requirements)
    chained = profile.is_chained or provider.signs_with_a_session(request)
    if chained or session.expires_at is None:
        return session.credentials(), None
    return session.credentials(), int((session.expires_at - session.issued_at).total_seconds())
