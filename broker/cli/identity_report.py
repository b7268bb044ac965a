"""`report`: what the team's identities look like, and what to mend."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import click

from broker.cli.app import App, command
from broker.cli.tables import is_coloured
from broker.config import NoConfig
from broker.errors import UsageError
from broker.login import SessionRequirements
from broker.paths import expanded
from broker.report import credential_report
from broker.report.document import Report, not_in
from broker.report.finding import Severity, Source
from broker.report.making import Making, sound
from broker.terminal_text import counted
from broker.whole_files import write_whole

if TYPE_CHECKING:
    from broker.config import Config, Profile
    from broker.credentials import Credentials
    from broker.ports.aws import Aws
    from broker.report.athena import Athena
    from broker.report.s3_files import Bucket

FORMATS = ("text", "json", "html", "sarif")
SEVERITIES = get_args(Severity)
EXIT_FINDINGS = 9


@command()
@click.option("--profile", "names", multiple=True, help="Read the IAM report of its account.")
@click.option("--all", "every", is_flag=True, help="Read that of every account, once.")
@click.option(
    "--cloudtrail",
    multiple=True,
    metavar="PATH",
    help="CloudTrail's files, a folder of them, or s3://BUCKET/PREFIX.",
)
@click.option("--athena", metavar="DATABASE.TABLE", help="An organization's table in Athena.")
@click.option("--workgroup", help="Athena's, which says where results lie.")
@click.option("--max-scan", metavar="BYTES", help="Bytes that Athena may scan in all (or 5GB).")
@click.option("--athena-ddl", is_flag=True, help="Print the statement that makes the table.")
@click.option("--region", "regions", multiple=True, help="Look there alone, at S3 and Athena.")
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
    athena: str | None,
    workgroup: str | None,
    max_scan: str | None,
    athena_ddl: bool,
    regions: tuple[str, ...],
    days: int,
    form: str | None,
    fail_on: Severity | None,
    baseline: str | None,
    out: str | None,
) -> int:
    """Old keys, sign-ins without MFA, keys beside SSO, and the command that mends each."""
    earlier = _baseline(baseline) if baseline else None
    config = _config(app)
    if athena_ddl:
        app.say_exactly(_ddl(config))
        return 0
    through = Through(app, names[0] if names else None, frozenset(regions))
    asked = _athena(through, athena, workgroup, max_scan) if athena or workgroup else None
    form = form or app.output
    making = Making(config, app.environ, datetime.now(UTC), days)
    making.machine()
    if names or every:
        making.credential_reports(
            _profiles(app, names, every=every), lambda profile: _rows(app, profile)
        )
    if cloudtrail:
        making.cloudtrail(cloudtrail, through.bucket)
    if athena and asked:
        making.athena(athena, asked, regions=regions)
    made = making.report()
    text = _rendered(app, made, form, to_file=out is not None)
    if out:
        write_whole(expanded(out), text.encode())
        app.note(f"{out}: {counted(sum(made.summary.values()), 'finding')}")
    else:
        app.say_exactly(text)
    unread = [source for source in made.sources if source.failed]
    if unread:
        detail = "; ".join([unread[0].detail, *unread[0].warnings[:1]])
        raise UsageError(f"nothing could be read of {detail}", hint="the rest is reported")
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


class Through:
    """AWS's services through a session of ours: that of the first `--profile`, or the default.

    Args:
        app: The command's.
        name: The profile's, if one is named.
        regions: That are looked at in a bucket; every one where none is named.
    """

    def __init__(self, app: App, name: str | None, regions: frozenset[str]) -> None:
        self._app = app
        self._name = name
        self._regions = regions

    @cached_property
    def _session(self) -> tuple[Aws, Credentials, str]:
        profile = self._app.profile(self._name)
        aws = self._app.broker.aws
        with self._app.naming(profile.name):
            session = self._app.login.session(profile, SessionRequirements())
        return aws, session.credentials(), profile.region

    def bucket(self, url: str, source: Source) -> Bucket:
        """A bucket of CloudTrail's files."""
        from broker.report.s3_files import Bucket

        return Bucket(*self._session, url, source=source, only=self._regions)

    def athena(self, workgroup: str, max_scan: int | None, source: Source) -> Athena:
        """Athena in a workgroup."""
        from broker.report.athena import Athena

        return Athena(
            *self._session, workgroup=workgroup, max_scan=max_scan,
            clock=self._app.broker.clock, source=source, note=self._app.note,
        )  # fmt: skip


def _athena(
    through: Through, named: str | None, workgroup: str | None, max_scan: str | None
) -> Callable[[Source], Athena]:
    from broker.report.athena_table import split_name

    if not named or not workgroup:
        raise UsageError("--athena DATABASE.TABLE and --workgroup NAME go together")
    split_name(named)
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", workgroup):
        raise UsageError(f"--workgroup {workgroup[:80]!r}: no workgroup's name")
    bound = _bytes(max_scan) if max_scan else None
    return lambda source: through.athena(workgroup, bound, source)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,17})\s*([KMGT]?)B?", text.strip().upper())
    if not found:
        raise UsageError(f"--max-scan {text[:80]!r}: bytes, such as 5000000000 or 5GB")
    thousands = " KMGT".index(found[2] or " ")
    return int(found[1]) * int(1000**thousands)


def _ddl(config: Config | None) -> str:
    from broker.report.athena_table import ddl

    profiles = sound(config) if config else []
    return ddl(
        [profile.account for profile in profiles if profile.account],
        [profile.region for profile in profiles],
    )


def _baseline(path: str) -> dict[str, Any]:
    try:
        document = json.loads(expanded(path).read_bytes())
        not_in([], document)
    except (OSError, ValueError, RecursionError) as error:
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
    from broker.report.text import Screen, as_text

    size = shutil.get_terminal_size()
    terminal = not to_file and sys.stdout.isatty()
    screen = Screen(
        max(size.lines, 8),
        max(size.columns, 20) if terminal else None,
        colours=terminal and is_coloured(),
    )
    return as_text(made, screen, everything=app.verbose or to_file)
