"""AWS clients for providers. Owns isolation, retries, and the bounds of a reply.

The clients obey nothing of the person's AWS files or profile variables: a botocore session with
both files at the null device, explicit credentials or none, an explicit region and endpoint.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from broker.arn import account_of
from broker.credentials import Credentials, Request
from broker.durations import HOUR
from broker.errors import ConfigError, UnexpectedReply
from broker.ports.aws_endpoints import SERVICES, endpoint_override, has_fips
from broker.ports.aws_errors import translated
from broker.ports.aws_sender import TRIES, Sender
from broker.ports.route import ca_file, require_proxy
from broker.ports.urls import is_loopback
from broker.secret import Secret
from broker.terminal_text import one_line


class Aws:
    """Makes isolated clients and speaks the STS calls that more than one part needs."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._warn = warn
        self._named_hosts: set[str] = set()
        self._session: Any = None
        self._lock = threading.Lock()

    def endpoint(self, service: str) -> str | None:
        """The endpoint that the environment sets for a service; see `endpoint_override`."""
        return endpoint_override(service, self._environ)

    def host(self, service: str, region: str) -> str:
        """Which host a service's requests go to, for who is asked for a secret."""
        endpoint = self.endpoint(service) or str(self.client(service, region).meta.endpoint_url)
        return urlsplit(endpoint).netloc

    def client(
        self,
        service: str,
        region: str,
        credentials: Credentials | None = None,
        *,
        once: bool = False,
        dual_stack: bool | None = None,
        places: int = 1,
    ) -> Any:
        """A botocore client.

        Args:
            service: `sts`, `sso`, `sso-oidc` or `iam`.
            region: Its region.
            credentials: Signs with these; None sends unsigned requests.
            once: Never repeat a request: it carries a one-time code, a refresh token, or creates
                a key.
            dual_stack: Whether its dual-stack host is asked; None leaves it to the environment.
            places: How many places may have to be asked in one command, which share its time.
        """
        session = self._botocore()
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.utils import get_environ_proxies

        keys = {}
        if credentials:
            token = credentials.session_token
            keys = {
                "aws_access_key_id": credentials.access_key_id,
                "aws_secret_access_key": credentials.secret_access_key.reveal(),
                "aws_session_token": token.reveal() if token else None,
            }
        endpoint = endpoint_override(service, self._environ)
        own_machine = endpoint and is_loopback(urlsplit(endpoint).hostname)
        trusted = ca_file(self._environ) or True
        config = Config(
            signature_version=None if credentials else UNSIGNED,
            connect_timeout=5,
            read_timeout=20 if once else 8,
            retries={"mode": "standard", "total_max_attempts": 1 if once else TRIES},
            max_pool_connections=32,
            parameter_validation=False,  # AWS is the judge; its rules change first
            ignore_configured_endpoint_urls=True,
            proxies={} if own_machine else None,  # None: those of the environment
            use_fips_endpoint=False if endpoint or not has_fips(service, region) else None,
            use_dualstack_endpoint=False if endpoint else dual_stack,
        )
        make = partial(
            session.create_client,
            service,
            region_name=region,
            endpoint_url=endpoint,
            verify=trusted,
        )
        try:
            client = make(config=config, **keys)
        except (BotoCoreError, ValueError, OSError) as error:
            raise ConfigError(
                f"no client for {service} in {region}: {one_line(str(error))}",
                hint="check the region and the AWS_ variables of the environment",
            ) from error
        address = urlsplit(client.meta.endpoint_url)
        if endpoint and not own_machine:
            self.tell_of(endpoint)
        if not own_machine:
            proxies = get_environ_proxies(client.meta.endpoint_url)
            proxy = proxies.get(address.scheme, proxies.get("all"))
            require_proxy(proxy, address.netloc, self._environ)
            if proxy and address.scheme not in proxies:  # botocore does not know ALL_PROXY
                client = make(config=config.merge(Config(proxies={address.scheme: proxy})), **keys)
        client.meta.events.register("before-send", Sender(client, once=once, places=places))
        return client

    def tell_of(self, endpoint: str) -> None:
        """Name, once, a host that stands in for AWS because the environment says so."""
        host = urlsplit(endpoint).netloc
        if host not in self._named_hosts and not is_loopback(urlsplit(endpoint).hostname):
            self._named_hosts.add(host)
            self._warn(f"{host} stands in for AWS: the environment's endpoint variables say so")

    def load(self) -> None:
        """Import what every client needs, while somebody else is waited for anyway."""
        self._botocore()

    def _botocore(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._isolated()
        return self._session

    def _isolated(self) -> Any:
        """A session that obeys nothing of the person's files and profile variables."""
        import botocore.session
        from botocore.loaders import Loader

        from broker.ports.tls import trust_the_system

        class OwnData(Loader):  # type: ignore[misc]
            """AWS's own data of the services used here, without a search among all of them."""

            def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
                return list(SERVICES)

        trust_the_system(self._environ)
        unset = (None, None, None, None)
        session = botocore.session.Session(
            session_vars={
                "profile": unset,
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "sts_regional_endpoints": (None, None, "regional", None),
            }
        )
        own = OwnData([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
        session.register_component("data_loader", own)
        return session

    def errors(self, what: str) -> AbstractContextManager[None]:
        """Turn botocore's exceptions inside the block into ours; see `aws_errors.translated`."""
        return translated(what, self._environ)

    def assume_role(
        self, credentials: Credentials, request: Request, *, mfa_code: str | None = None
    ) -> Credentials:
        """AssumeRole with a user's keys or a session's.

        Args:
            credentials: Who assumes.
            request: `role_arn`, `duration` and the rest; a `mfa_code` goes with `mfa_serial`.
            mfa_code: A one-time code; the call is then never repeated.

        Raises:
            RoleRefused: AWS refuses the role or the duration.
            LoginRefused: The keys, the session or the code are refused.
        """
        arguments: dict[str, Any] = {
            "RoleArn": request.role_arn,
            "RoleSessionName": request.session_name,
            "DurationSeconds": request.duration or HOUR,
            "ExternalId": request.external_id,
            "SourceIdentity": request.source_identity,
            "Policy": request.policy,
            "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
            "Tags": [{"Key": key, "Value": value} for key, value in request.session_tags.items()],
            "TransitiveTagKeys": list(request.transitive_tags),
        }
        if mfa_code:
            arguments |= {"SerialNumber": request.mfa_serial, "TokenCode": mfa_code}
        client = self.client("sts", request.region, credentials, once=mfa_code is not None)
        with self.errors(f"AssumeRole {request.role_arn}"):
            reply = client.assume_role(
                **{name: value for name, value in arguments.items() if value}
            )
        return credentials_of(reply)

    def caller_identity(self, credentials: Credentials, region: str) -> Mapping[str, str]:
        """GetCallerIdentity: `Arn`, `Account`, `UserId`."""
        with self.errors("GetCallerIdentity"):
            reply: Mapping[str, str] = self.client("sts", region, credentials).get_caller_identity()
        if not all(reply.get(name) for name in ("Arn", "Account", "UserId")):
            raise UnexpectedReply("GetCallerIdentity: STS answered without an identity")
        return reply


def credentials_of(reply: Mapping[str, Any]) -> Credentials:
    """The credentials in the reply of any STS action.

    Raises:
        UnexpectedReply: The reply holds none.
    """
    try:
        keys = reply["Credentials"]
        expires_at: datetime = keys["Expiration"].astimezone(UTC)
        arn = reply.get("AssumedRoleUser", {}).get("Arn")
        return Credentials(
            access_key_id=keys["AccessKeyId"],
            secret_access_key=Secret(keys["SecretAccessKey"]),
            session_token=Secret(keys["SessionToken"]),
            expires_at=expires_at,
            arn=arn,
            account_id=account_of(arn),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise UnexpectedReply("STS answered without credentials") from error
