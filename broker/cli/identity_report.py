"""`report`: what the team's identities look like, and what to mend."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

import click

from broker.cli.app import App, command
from broker.config import NoConfig
from broker.errors import UsageError
from broker.login import SessionRequirements
from broker.paths import expanded
from broker.report import credential_report
from broker.report.document import Report, not_in
from broker.report.finding import Severity
from broker.report.making import Making
from broker.terminal_text import counted
from broker.whole_files import write_whole

if TYPE_CHECKING:
    from broker.config import Config, Profile

FORMATS = ("text", "json", "html", "sarif")
SEVERITIES = get_args(Severity)
EXIT_FINDINGS = 9


@command()
@click.option("--profile", "names", multiple=True, help="Read the IAM report of its account.")
@click.option("--all", "every", is_flag=True, help="Read that of every account, once.")
@click.option(
    "--cloudtrail", multiple=True, metavar="PATH", help="CloudTrail's files, or a folder of them."
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, help="The window (90).")
@click.option("--format", "form", type=click.Choice(FORMATS), help="The report's form.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit 9 with such findings.")
@click.option(
    "--baseline", metavar="FILE", help="An earlier JSON report: new findings alone count."
)
@click.option("--out", metavar="FILE", help="Write it there.")
def report(
    app: App,
    *,
    names: tuple[str, ...],
    every: bool,
    cloudtrail: tuple[str, ...],
    days: int,
    form: str | None,
    fail_on: Severity | None,
    baseline: str | None,
    out: str | None,
) -> int:
    """Old keys, sign-ins without MFA, keys beside SSO, and the command that mends each."""
    earlier = _baseline(baseline) if baseline else None
    config = _config(app)
    making = Making(config, app.environ, datetime.now(UTC), days)
    making.machine()
    if names or every:
        making.credential_reports(_profiles(app, names, every=every), lambda one: _rows(app, one))
    if cloudtrail:
        making.cloudtrail([expanded(path) for path in cloudtrail])
    made = making.report()
    text = _rendered(app, made, form or app.output, to_file=out is not None)
    if out:
        write_whole(expanded(out), text.encode())
        app.note(f"{out}: {counted(sum(made.summary.values()), 'finding')}")
    else:
        app.say_exactly(text)
    unread = [source for source in made.sources if source.failed]
    if unread:
        words = "; ".join([unread[0].detail, *unread[0].warnings[:1]])
        raise UsageError(f"nothing could be read of {words}", hint="the rest is reported")
    if fail_on:
        failing = made.at_least(fail_on)
        failing = not_in(failing, earlier) if earlier is not None else failing
        return EXIT_FINDINGS if failing else 0
    return 0


def _config(app: App) -> Config | None:
    """The config, if there is one; what is not trusted is not used."""
    try:
        app.require_trust()
    except NoConfig:
        return None
    return app.config


def _profiles(app: App, names: tuple[str, ...], *, every: bool) -> list[Profile]:
    if every:
        return list(app.sound_profiles())
    return [app.profile(name) for name in names]


def _rows(app: App, profile: Profile) -> list[dict[str, str]]:
    broker = app.broker
    with app.naming(profile.name):
        session = app.login.session(profile, SessionRequirements())
        return credential_report.fetch(
            broker.aws, session.credentials(), profile.region, broker.clock
        )


def _baseline(path: str) -> dict[str, Any]:
    try:
        document = json.loads(expanded(path).read_bytes())
        not_in([], document)
    except (OSError, ValueError) as error:
        raise UsageError(f"--baseline {path}: {error}", hint="a report by --format json") from None
    if not isinstance(document, dict):
        raise UsageError(f"--baseline {path}: no report of awslogin")
    return document


def _rendered(app: App, made: Report, form: str, *, to_file: bool) -> str:
    if form == "json":
        return json.dumps(made.to_json(), indent=2) + "\n"
    if form == "sarif":
        from broker.report.sarif import as_sarif

        return json.dumps(as_sarif(made), indent=2) + "\n"
    if form == "html":
        from broker.report.page import as_html

        return as_html(made)
    from broker.report.text import as_text

    return as_text(made, colours=not to_file and sys.stdout.isatty(), everything=app.verbose)
