"""The key that a profile leaves behind: asked about, watched, and changed at IAM.

IAM is asked by the new provider's session, and where that may not, by the key's own user. Such a
question counts as a use of the key itself, and IAM tells the last use alone. So the key asks once
the wait is over, before it signs anything else: what IAM tells then is another's use, our question
at the end of the wait before, or, where IAM notes uses at once, this question: then nothing is
known of the wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from broker import login
from broker.broker import Broker
from broker.config.entry_change import ProfileEntry
from broker.credentials import Credentials, Request
from broker.errors import AwsLoginError, ConfigError, NetworkError
from broker.migration.plan import candidate
from broker.migration.record import Migration, Migrations
from broker.ports.clock import from_text, to_text
from broker.ports.iam_keys import IamKeys, KeyUse
from broker.provider import KeyHolder
from broker.user_keys import profiles_with

OWN_QUESTION = timedelta(minutes=5)
"""A use that IAM notes this near to a question of ours, signed by the key, is that question: IAM
notes minutes, and clocks differ by as much as AWS takes a signature."""

T = TypeVar("T")


@dataclass(frozen=True)
class Watched:
    """What AWS tells of a key's use.

    Attributes:
        at: The last use that is not ours, or None.
        purpose: What it was for: `for SERVICE in REGION`; empty where there was none.
        asked_at: When the key itself asked in this run, UTC in text, or None.
        unknown: Why nothing is known of the wait, or empty.
        remark: What a person should know of the watching, or empty.
    """

    at: datetime | None = None
    purpose: str = ""
    asked_at: str | None = None
    unknown: str = ""
    remark: str = ""


class LeavingKey:
    """The keys of one config's migrations."""

    def __init__(self, broker: Broker, records: Migrations, environ: Mapping[str, str]) -> None:
        self._broker = broker
        self._environ = environ
        self._records = records
        self._clock = broker.clock

    def watched(self, migration: Migration, *, is_due: bool) -> Watched:
        """The last use that IAM has noted, but for our own questions.

        Args:
            migration: Whose key.
            is_due: The wait is over: so the key itself may ask where the session may not.
        """
        iam = self._iam_of_session(migration)
        try:
            use = iam.last_use(migration.key_id)
        except NetworkError:
            raise
        except AwsLoginError as refused:
            if migration.stage == "deactivated":
                return self._unseen(migration, refused)
            if not is_due:
                return Watched(
                    remark="AWS is asked once that is over: only the key's own user may ask, which"
                    " counts as a use of the key"
                )
        else:
            return _use_of_another(migration, use) or Watched()
        return self._watched_by_itself(migration)

    def _watched_by_itself(self, migration: Migration) -> Watched:
        """The key asks of itself; when it does is kept before, for a run that is killed here."""
        now = self._clock.now()
        asked_at = to_text(now)
        self._records.change(migration, asked_at=asked_at)
        try:
            use = self._by_key(migration, lambda iam: iam.last_use(migration.key_id))
        except NetworkError:
            raise
        except AwsLoginError as error:
            return self._unseen(migration, error)
        if use and _is_question(migration, use, now):
            return Watched(
                asked_at=asked_at,
                unknown="AWS tells a key's last use alone, and that is our question of just now, as"
                " only the key's own user may ask",
            )
        other = _use_of_another(migration, use)
        if use and other is None and migration.asked_at != migration.answered_at:
            return Watched(
                asked_at=asked_at,
                unknown="AWS tells a key's last use alone, and that is the question of a run that"
                " was killed",
            )
        return replace(other or Watched(), asked_at=asked_at)

    def _unseen(self, migration: Migration, error: AwsLoginError) -> Watched:
        self._broker.ui.warn(
            f"AWS does not say whether {migration.key_id} is used ({error.message}): only this"
            " machine's own log is looked at"
        )
        return Watched()

    def uses_here(self, migration: Migration, since: datetime) -> Iterator[tuple[datetime, str]]:
        """Sign-ins of this machine with static keys of the profile, by another config maybe."""
        for event in self._broker.events.read(since):
            is_use = event.get("type") == "static" and event.get("profile") == migration.profile
            if is_use and event.get("provider") == migration.source:
                command = event.get("command")
                by = f"by `{command}`" if command else f"by a {event['what']}"
                yield from_text(event["at"]), f"{by} on this machine"

    def other_holders(self, migration: Migration) -> list[str]:
        """Profiles of the config that sign in with the same key."""
        return profiles_with(self._broker.config, self.holder(migration), migration.key_id)

    def at_iam(
        self,
        migration: Migration,
        call: Callable[[IamKeys], T],
        *,
        by_hand: str = "delete-access-key",
    ) -> T:
        """Ask by the new session; where that may not, by the key's own user while it is active.

        Args:
            migration: Whose key.
            call: What is asked.
            by_hand: The same as an administrator's command, without the key's name.

        Raises:
            AwsLoginError: Neither may.
        """
        iam = self._iam_of_session(migration)
        try:
            return call(iam)
        except NetworkError:
            raise
        except AwsLoginError as error:
            refused = error
        if migration.stage == "deactivated":
            refused.hint = (
                f"{refused.hint}; or an administrator:"
                f" `aws iam {by_hand} --user-name {migration.user}"
                f" --access-key-id {migration.key_id}`, then again"
            )
            raise refused
        return self._by_key(migration, call)

    def _iam_of_session(self, migration: Migration) -> IamKeys:
        """By the new provider: where it gives no session, nobody may be locked out."""
        session = self._session(migration)
        return IamKeys(self._broker.aws, session, migration.region, migration.user)

    def _by_key(self, migration: Migration, call: Callable[[IamKeys], T]) -> T:
        request = Request(
            profile=migration.profile,
            keys_profile=migration.profile,
            region=migration.region,
            mfa_serial=migration.mfa_serial,
        )
        signer = self.holder(migration).signer(request)
        return call(IamKeys(self._broker.aws, signer, migration.region))

    def _session(self, migration: Migration) -> Credentials:
        """By the new provider, also where the config has been put back already."""
        broker, name = self._broker, migration.profile
        if broker.config.profile(name).keys_profile == name:
            entry = ProfileEntry(broker.config.content, migration.file, name)
            after = candidate(broker.config, self._environ, entry.replaced(migration.after))
            broker = Broker(after, broker.ui, self._environ, broker.clock)
        profile = broker.config.profile(name)
        session = login.Login(broker).session(profile, login.SessionRequirements())
        return session.credentials()

    def holder(self, migration: Migration) -> KeyHolder[Any]:
        """The provider that holds the keys, which the profile names no more.

        Raises:
            ConfigError: It is gone from the config.
        """
        provider, _ = self._broker.plugins.named(migration.source)
        if not isinstance(provider, KeyHolder):
            raise ConfigError(f"provider {migration.source} holds no static keys any more")
        return provider


def _use_of_another(migration: Migration, use: KeyUse | None) -> Watched | None:
    """The use, unless it is a question of ours of an earlier run."""
    asked = migration.asked_at
    if use is None or (asked and _is_question(migration, use, from_text(asked))):
        return None
    return Watched(use.at, f"for {use.service} in {use.region}")


def _is_question(migration: Migration, use: KeyUse, asked: datetime) -> bool:
    """Whether a use is what the key signed for us at that time: with MFA, a session first."""
    services = {"iam", "sts"} if migration.mfa_serial else {"iam"}
    return use.service in services and abs(use.at - asked) <= OWN_QUESTION
