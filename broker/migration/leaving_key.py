"""The key that a profile leaves behind: asked about, watched, and changed at IAM.

IAM is asked by the new provider's session, and where that may not, by the key's own user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from broker import login
from broker.broker import Broker
from broker.credentials import Credentials, Request
from broker.errors import AwsLoginError, ConfigError, NetworkError
from broker.migration.record import Migration, Migrations
from broker.ports.clock import from_text, to_text
from broker.ports.iam_keys import IamKeys
from broker.provider import KeyHolder

OWN_QUESTION = timedelta(minutes=2)
"""A use that IAM notes this near to a question of ours, signed by the key, is that question."""

T = TypeVar("T")


class LeavingKey:
    """The keys of one config's migrations."""

    def __init__(self, broker: Broker, records: Migrations) -> None:
        self._broker = broker
        self._records = records
        self._clock = broker.clock

    def uses_at_aws(self, migration: Migration) -> Iterator[tuple[datetime, str]]:
        """The last use that IAM has noted, but for our own questions: when, and what for."""
        try:
            use = self.at_iam(migration, lambda iam: iam.last_use(migration.key_id))
        except NetworkError:
            raise
        except AwsLoginError as error:
            self._broker.ui.warn(
                f"AWS does not say whether {migration.key_id} is used ({error.message}): only this"
                " machine's own log is looked at"
            )
            return
        asked = self._records.of(migration.profile)
        own = asked.asked_at if asked else None
        if use is None:
            return
        is_ours = use.service in {"iam", "sts"} and own is not None
        if is_ours and own and abs(use.at - from_text(own)) <= OWN_QUESTION:
            return
        yield use.at, f"for {use.service} in {use.region}"

    def uses_here(self, migration: Migration, since: datetime) -> Iterator[tuple[datetime, str]]:
        """Sign-ins of this machine with static keys of the profile, by another config maybe."""
        for event in self._broker.events.read(since):
            is_use = event.get("type") == "static" and event.get("profile") == migration.profile
            if is_use and event.get("provider") == migration.source:
                command = event.get("command")
                by = f"by `{command}`" if command else f"by a {event['what']}"
                yield from_text(event["at"]), f"{by} on this machine"

    def at_iam(self, migration: Migration, call: Callable[[IamKeys], T]) -> T:
        """Ask by the new session; where that may not, by the key's own user while it is active.

        Raises:
            AwsLoginError: Neither may.
        """
        aws, region = self._broker.aws, migration.region
        session = self._session(migration)  # without one, nobody may be locked out
        try:
            return call(IamKeys(aws, session, region, migration.user))
        except NetworkError:
            raise
        except AwsLoginError as error:
            refused = error
        if migration.stage == "deactivated":
            refused.hint = (
                f"{refused.hint}; or an administrator:"
                f" `aws iam delete-access-key --user-name {migration.user}"
                f" --access-key-id {migration.key_id}`, then again"
            )
            raise refused
        request = Request(
            profile=migration.profile,
            keys_profile=migration.profile,
            region=region,
            mfa_serial=migration.mfa_serial,
        )
        self._records.change(migration, asked_at=to_text(self._clock.now()))
        return call(IamKeys(aws, self.holder(migration).signer(request), region))

    def _session(self, migration: Migration) -> Credentials:
        profile = self._broker.config.profile(migration.profile)
        session = login.Login(self._broker).session(profile, login.SessionRequirements())
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
