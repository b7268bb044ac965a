"""From the sources to the report: each is read once, every rule asked of it, people named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.errors import AwsLoginError
from broker.paths import private_dir, state_dir
from broker.ports.clock import to_text
from broker.ports.parallel import in_parallel
from broker.report import credential_report, machine, trail_rules
from broker.report.document import Report
from broker.report.finding import Finding, Source, merged, without_silenced
from broker.report.people import People

if TYPE_CHECKING:
    from broker.config import Config, Profile

NEW_DAYS = 7
"""An address is new that was seen first in the last so many days."""
AT_ONCE = 8
"""Accounts whose reports are fetched at once; IAM's own rate is far above."""

Rows = Callable[["Profile"], list[dict[str, str]]]


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
        self._profiles = list(_sound(config)) if config else []
        self._people = People(self._profiles)
        self._findings: list[Finding] = []
        self.sources: list[Source] = []
        self.pictures: dict[str, list[dict[str, Any]]] = {}

    def machine(self) -> None:
        """This machine."""
        source = Source("machine", "this machine")
        self.sources.append(source)
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
            self.pictures["key_ages"] = [
                *self.pictures.get("key_ages", []),
                *_ages(found, self._now),
            ]

    def cloudtrail(self, paths: Sequence[Path]) -> None:
        """CloudTrail's files, searched by DuckDB."""
        from broker.report.trail import Trail, files_in

        source = Source("cloudtrail", ", ".join(map(str, paths)))
        self.sources.append(source)
        folder = private_dir(state_dir(self._environ) / "report")
        files = files_in(paths)
        with Trail(source, folder, to_text(self._since), to_text(self._now)) as trail:
            trail.read(files)
            trail.finish()
            if not files:
                source.warnings.append("no .json and no .json.gz file is there")
            self._searched(trail.search)
            for name, sql in trail_rules.PICTURES.items():
                self.pictures[name] = trail.rows(sql)
            for row in self.pictures["long_term_keys"]:
                row["who"] = self._people.readable(row["who"])

    def _searched(self, search: Callable[..., Iterable[Mapping[str, Any]]]) -> None:
        wanted = self._config.report if self._config else None
        regions = {profile.region for profile in self._profiles}
        values = {
            "addresses": wanted.thresholds.addresses if wanted else 5,
            "failures": wanted.thresholds.failures if wanted else 20,
            "new_since": to_text(self._now - timedelta(days=NEW_DAYS)),
            "regions": ", ".join(f"'{region}'" for region in sorted(regions)) or "''",
        }
        for rule in trail_rules.RULES:
            if rule.id == "no-source-identity" and not (wanted and wanted.require_source_identity):
                continue
            if rule.id == "region-not-used" and not regions:
                continue
            for row in search(rule, values):
                who = str(row["who"]) if row["who"] else None
                is_arn = (who or "").startswith("arn:")
                self._findings.append(
                    Finding.of(
                        rule,
                        self._people.readable(who) if is_arn or not who else who,
                        row["account_id"],
                        profile=self._people.profile_of(who) or "PROFILE",
                        evidence=str(row["evidence"] or ""),
                        first_seen=row["first_seen"],
                        last_seen=row["last_seen"],
                        count=int(row["count"]),
                    )
                )

    def report(self) -> Report:
        """All of it, silenced where the team says so."""
        ignores = self._config.report.ignore if self._config else []
        kept, silenced = without_silenced(merged(self._findings), ignores, self._now.date())
        return Report(self._now, self.sources, kept, silenced, self.pictures)


def _sound(config: Config) -> Iterable[Profile]:
    for name in config.names:
        try:
            yield config.profile(name)
        except AwsLoginError:
            continue


def _account(rows: list[dict[str, str]]) -> str:
    return next((row["arn"].split(":")[4] for row in rows if row.get("arn", "").count(":") > 4), "")


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
