"""From the sources to the report: each is read once, every rule asked of it, people named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from broker.errors import AwsLoginError
from broker.nearest import did_you_mean
from broker.paths import expanded, private_dir, state_dir
from broker.ports.clock import to_text
from broker.ports.parallel import in_parallel
from broker.report import credential_report, machine, trail_rules
from broker.report.document import RULES, Report
from broker.report.finding import Finding, Rule, Source, merged, without_silenced
from broker.report.people import NAMES, People

if TYPE_CHECKING:
    from broker.config import Config, Profile
    from broker.report.athena import Athena
    from broker.report.s3_files import Bucket

AT_ONCE = 8
"""Accounts whose reports are fetched at once; IAM's own rate is far above."""

Rows = Callable[["Profile"], list[dict[str, str]]]
Search = Callable[[str], list[dict[str, Any]]]
"""The rows of a query over `events`, by column."""


class Making:
    """One report in the making.

    Args:
        config: The team's YAML, or None.
        environ: The environment.
        now: The time.
        days: The window.
    """

    def __init__(
        self, config: Config | None, environ: Mapping[str, str], now: datetime, days: int
    ) -> None:
        self._config = config
        self._environ = environ
        self._now = now
        self._since = now - timedelta(days=days)
        self._profiles = sound(config) if config else []
        self._people = People(self._profiles)
        self._findings: list[Finding] = []
        self._counts: dict[str, Counter[tuple[str, str]]] = {
            "sign_ins": Counter(),
            "uses": Counter(),
        }
        self._ages: list[dict[str, Any]] = []
        self.sources: list[Source] = []

    def machine(self) -> None:
        """This machine."""
        source = Source("machine", "this machine")
        self.sources.append(source)
        for ignore in self._config.report.ignore if self._config else ():
            if ignore.rule not in RULES:
                meant = did_you_mean(ignore.rule, RULES)
                source.warnings.append(
                    f"report.ignore: no rule `{ignore.rule}`; {meant}".rstrip("; ")
                )
        self._findings += machine.examine(
            source, self._config, self._environ, self._since, self._now
        )

    def credential_reports(self, profiles: Sequence[Profile], rows: Rows) -> None:
        """IAM's report of each profile's account, once an account."""
        by_account = {profile.account or profile.name: profile for profile in reversed(profiles)}

        def fetched(profile: Profile) -> list[dict[str, str]] | AwsLoginError:
            try:
                return rows(profile)
            except AwsLoginError as error:
                return error

        chosen = list(by_account.values())
        for profile, found in zip(
            chosen, in_parallel(fetched, chosen, at_once=AT_ONCE), strict=True
        ):
            source = Source("credential-report", f"of {profile.account or profile.name}")
            self.sources.append(source)
            if isinstance(found, AwsLoginError):
                source.failed = True
                source.warnings.append(f"{profile.name}: {found.message}")
                continue
            source.events = len(found)
            account = profile.account or _account(found)
            by_sso = any(
                other.account == account and not other.keys_profile for other in self._profiles
            )
            self._findings += credential_report.examine(
                found, account, self._now, profile=profile.name, by_sso=by_sso
            )
            self._ages += _ages(found, self._now)

    def cloudtrail(self, places: Sequence[str], bucket: Callable[[str, Source], Bucket]) -> None:
        """CloudTrail's files in folders and buckets, searched by DuckDB.

        Args:
            places: Paths, and `s3://BUCKET/PREFIX`.
            bucket: Opens one through a session of ours.

        Raises:
            UsageError: A path is not there, or DuckDB is not.
        """
        from broker.report.s3_files import BATCH_FILES, holds_others, is_s3
        from broker.report.trail import Trail, files_in

        source = Source("cloudtrail", ", ".join(places))
        self.sources.append(source)
        folder = private_dir(state_dir(self._environ) / "report")
        found = files_in([expanded(place) for place in places if not is_s3(place)])
        files = [(path, name) for path, name in found if not holds_others(path)]
        with Trail(source, folder, to_text(self._since), to_text(self._now)) as trail:
            trail.read(files)
            seen = len(files)
            try:
                for place in filter(is_s3, places):
                    opened = bucket(place, source)
                    keys = opened.keys(self._since.date(), self._now.date())
                    seen += len(keys)
                    for start in range(0, len(keys), BATCH_FILES):
                        part = keys[start : start + BATCH_FILES]
                        with opened.fetched(part, trail.folder) as fetched:
                            trail.read(fetched)
            except AwsLoginError as error:
                source.warnings.append(error.message)
            trail.finish()
            if not seen:
                source.warnings.append("no .json and no .json.gz file is there")
            self._search(trail.rows)
            self._draw(trail.rows(trail_rules.DAYS))

    def athena(
        self,
        named: str,
        asked: Callable[[Source], Athena],
        *,
        regions: Sequence[str] = (),
    ) -> None:
        """An organization's table in Athena.

        Args:
            named: `DATABASE.TABLE`.
            asked: Opens Athena through a session of ours.
            regions: That are looked at; those of the table where none is named.
        """
        from broker.report import athena_table
        from broker.report.athena import ScanBoundError, readable_bytes

        source = Source("athena", named, to_text(self._since), to_text(self._now), failed=True)
        self.sources.append(source)
        accounts = [profile.account for profile in self._profiles if profile.account]
        ours = [profile.region for profile in self._profiles]
        opened = None
        try:
            opened = asked(source)
            window = to_text(self._since), to_text(self._now)
            described = opened.describe(named)
            table = athena_table.checked(
                named, described, window, accounts=accounts, regions=ours, only=regions
            )

            def rows(sql: str) -> list[dict[str, Any]]:
                found = opened.rows(table.query(sql))
                source.failed = False
                return found

            days = rows(trail_rules.DAYS)
            source.events = sum(int(row["count"]) for row in days)
            self._draw(days)
            self._search(rows)
        except AwsLoginError as error:
            source.warnings.append(
                f"{error.message}; {error.hint}" if error.hint else error.message
            )
        except (KeyError, ValueError) as error:
            source.failed = True
            source.warnings.append(
                f"Athena answered with other columns than were asked for: {error}"
            )
        except ScanBoundError:
            source.warnings.append("stopped: --max-scan is used up; not every rule was asked")
        if opened:
            source.detail += f", {readable_bytes(opened.scanned)} scanned"

    def _draw(self, days: Sequence[Mapping[str, Any]]) -> None:
        for name, counts in self._counts.items():
            for row in days:
                if row[name]:
                    counts[str(row["day"]), str(row[name])] += int(row["count"])

    def _search(self, rows: Search) -> None:
        wanted = self._config.report if self._config else None
        regions = {profile.region for profile in self._profiles}
        values = {
            "addresses": wanted.thresholds.addresses if wanted else 5,
            "failures": wanted.thresholds.failures if wanted else 20,
            "regions": ", ".join(f"'{region}'" for region in sorted(regions)),
        }
        unasked = set() if regions else {"region-not-used"}
        unasked |= set() if wanted and wanted.require_source_identity else {"no-source-identity"}
        asked = {rule.id: rule for rule in trail_rules.RULES if rule.id not in unasked}
        self._people.learn(rows(NAMES))
        for statement in trail_rules.statements(asked.values()):
            found = rows(statement.format(**values))
            self._findings += [self._found(asked[row["rule"]], row) for row in found]

    def _found(self, rule: Rule, row: Mapping[str, Any]) -> Finding:
        who = str(row["who"]) if row["who"] else None
        return Finding.of(
            rule,
            self._people.readable(who),
            row["account_id"],
            profile=self._people.profile_of(who) or "PROFILE",
            evidence=str(row["evidence"] or ""),
            first_seen=row["first_seen"],
            last_seen=row["last_seen"],
            count=int(row["count"]),
        )

    def report(self) -> Report:
        """All of it, silenced where the team says so."""
        ignores = self._config.report.ignore if self._config else []
        findings = merged(self._findings)
        standing, silenced = without_silenced(findings, ignores, self._now.date())
        keys = Counter[str]()
        for finding in findings:
            if finding.id == "long-term-key-used":
                keys[finding.who] += finding.count
        pictures = {
            name: [{"day": day, "kind": kind, "count": count} for (day, kind), count in of.items()]
            for name, of in self._counts.items()
        }
        pictures["long_term_keys"] = [{"who": who, "count": count} for who, count in keys.items()]
        pictures["key_ages"] = self._ages
        return Report(self._now, self.sources, standing, silenced, pictures)


def sound(config: Config) -> list[Profile]:
    """The profiles that are not spoiled."""
    found = []
    for name in config.names:
        with suppress(AwsLoginError):
            found.append(config.profile(name))
    return found


def _account(rows: list[dict[str, str]]) -> str:
    arns = (row.get("arn") or "" for row in rows)
    return next((arn.split(":")[4] for arn in arns if arn.count(":") > 4), "")


def _ages(rows: list[dict[str, str]], now: datetime) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        for number in (1, 2):
            if row.get(f"access_key_{number}_active") == "true":
                made = row.get(f"access_key_{number}_last_rotated", "")
                try:
                    days = (now - datetime.fromisoformat(made)).days
                except (ValueError, TypeError):
                    continue
                found.append({"who": row.get("user", ""), "count": days})
    return found
