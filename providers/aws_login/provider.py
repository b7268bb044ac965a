"""AWS's own `aws login`: the console's sign-in, for programs, without keys of any kind.

A sign-in gives credentials of 15 minutes and a refresh token that is bound to a key of ours (DPoP,
RFC 9449), good for at most 12 hours. Both are sealed under the account and role that the profile
pins. `service` speaks to AWS.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl

from pydantic import Field

from broker.arn import account_of, partition_of
from broker.errors import (
    InteractionRequired,
    LoginRefused,
    RoleRefused,
    UnexpectedReply,
)
from broker.ports import Ports
from broker.ports.authorization_code import Proof, Returned, code_by_browser, page_said
from broker.provider import Credentials, Provider, ProviderOptions, Request
from broker.secret import Secret
from providers.aws_login.service import (
    OTHER_DEVICE,
    SAME_DEVICE,
    SignInOver,
    StoredSignIn,
    authorize_url,
    base_of,
    create_token,
    is_text,
    new_key,
    signed_in_arn,
)

_SIGN_IN = "console"
LIFE = timedelta(hours=12)
"""The longest that a sign-in is refreshed."""


class AwsLoginOptions(ProviderOptions):
    """`region`: whose sign-in service is used, else the profile's own region's."""

    region: str | None = Field(default=None, pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$")
    flow: Literal["auto", "browser", "code"] = "auto"


class AwsLogin(Provider[AwsLoginOptions]):
    """Signs in in the browser, then refreshes silently; `login` may be called from many threads."""

    Options = AwsLoginOptions

    def __init__(self, name: str, options: AwsLoginOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._lock = threading.Lock()

    @classmethod
    def check(cls, options: AwsLoginOptions, request: Request) -> str | None:
        """The session is what the console signs in to; it cannot be narrowed."""
        del options
        asked = ("policy", "policy_arns", "external_id", "mfa_serial", "mfa_process")
        found = next((name for name in asked if getattr(request, name)), None)
        mend = "take a role with it by a profile with `source`"
        return f"an `aws-login` provider takes no `{found}`; {mend}" if found else None

    @classmethod
    def signs_in_for(cls, options: AwsLoginOptions, request: Request) -> str | None:
        """The account and role that are pinned, and the partition whose console it is."""
        partition = partition_of(options.region or request.region)
        pinned = [request.account, request.role_arn, None if partition == "aws" else partition]
        return json.dumps(pinned) if any(pinned) else None

    @classmethod
    def cannot_narrow(cls, options: AwsLoginOptions, request: Request) -> str | None:
        """The console's own session is what its person may do."""
        del options, request
        return "the console's sign-in takes no session policy"

    def login(self, request: Request) -> Credentials:
        """Credentials of 15 minutes, of the account and role that the profile pins."""
        with self._lock:
            stored = self.ports.secrets.recall(_SIGN_IN)
            if stored:
                try:
                    return self._refreshed(stored, request)
                except SignInOver:
                    self.ports.secrets.forget(_SIGN_IN)
            return self._signed_in(request, had_one=stored is not None)

    def _refreshed(self, stored: StoredSignIn, request: Request) -> Credentials:
        """New credentials for the refresh token; the token that replaces it is kept first."""
        _mask(stored)
        grant = {"grantType": "refresh_token", "refreshToken": stored["refreshToken"]}
        reply = create_token(
            self.ports, stored, grant, retry=True
        )  # the same token twice is answered alike
        id_token = reply.get("idToken")  # as a rule there is none
        if id_token and signed_in_arn(id_token, self.ports.clock.now()) != stored["arn"]:
            raise UnexpectedReply(
                "the console's sign-in was refreshed with somebody else's token",
                hint=f"`awslogin logout {request.profile}`, then sign in again",
            )
        got = self._credentials(reply, stored["arn"])
        self._keep({**stored, "refreshToken": reply["refreshToken"]})
        return got

    def _signed_in(self, request: Request, *, had_one: bool) -> Credentials:
        by_browser = self.options.flow == "browser" or (
            self.options.flow == "auto" and self.ports.ui.browser_is_here
        )
        if not self.ports.ui.can_sign_in(by_browser=by_browser):
            raise InteractionRequired(
                "the console's sign-in has ended; a new one needs a person"
                if had_one
                else "signing in at the AWS console needs a person and a browser",
                hint=f"run `awslogin login {request.profile}` on a terminal",
            )
        base = base_of(self.options.region or request.region, self.ports)
        client = SAME_DEVICE if by_browser else OTHER_DEVICE
        returned = self._by_browser(base) if by_browser else self._by_code(base)
        sign_in: StoredSignIn = {"key": new_key().reveal(), "clientId": client, "base": base}
        grant = {
            "grantType": "authorization_code",
            "code": returned.code.reveal(),
            "codeVerifier": returned.verifier.reveal(),
            "redirectUri": returned.redirect_uri,
        }
        reply = create_token(self.ports, sign_in, grant)
        arn = signed_in_arn(reply.get("idToken"), self.ports.clock.now())
        refused = _another(arn, request)
        if refused:
            raise refused
        got = self._credentials(reply, arn)
        self._keep({**sign_in, "arn": arn, "refreshToken": reply["refreshToken"]})
        return got

    def _by_browser(self, base: str) -> Returned:
        def address(redirect: str, state: str, challenge: str) -> str:
            return authorize_url(base, SAME_DEVICE, redirect, state, challenge)

        return code_by_browser(
            self.ports, address, without_browser=f", or with `flow: code` of {self.name}"
        )

    def _by_code(self, base: str) -> Returned:
        """The person signs in on any device, and pastes what its last page shows."""
        proof, redirect = Proof.new(), f"{base}/v1/sessions/confirmation"
        page = authorize_url(base, OTHER_DEVICE, redirect, proof.state, proof.challenge)
        self.ports.ui.show(f"Sign in in any browser at\n{page}\nand paste the code that it shows")
        pasted = self.ports.ui.ask("Authorization code", secret=True)
        try:
            text = base64.b64decode("".join(pasted.split()) + "==").decode("ascii")
        except (binascii.Error, ValueError):
            text = ""
        answer = dict(parse_qsl(text))
        if not hmac.compare_digest(answer.get("state", "").encode(), proof.state.encode()):
            raise LoginRefused(
                "the pasted code is not of this sign-in", hint="run it again, and paste all of it"
            )
        if "code" not in answer:
            raise page_said(answer, "")
        return Returned(Secret(answer["code"]), proof.verifier, redirect)

    def _credentials(self, reply: Mapping[str, Any], arn: str) -> Credentials:
        try:
            keys = reply["accessToken"]
            names = ("accessKeyId", "secretAccessKey", "sessionToken")
            texts = [keys[name] for name in names]
            seconds = int(reply["expiresIn"])
            if not all(map(is_text, texts)) or not 0 < seconds <= LIFE.total_seconds():
                raise ValueError("no credentials")
        except (KeyError, TypeError, ValueError, OverflowError):
            raise UnexpectedReply("the console's sign-in answered without credentials") from None
        return Credentials(
            access_key_id=texts[0],
            secret_access_key=Secret(texts[1]),
            session_token=Secret(texts[2]),
            expires_at=self.ports.clock.now().replace(microsecond=0) + timedelta(seconds=seconds),
            arn=arn,
            account_id=account_of(arn),
        )

    def _keep(self, sign_in: StoredSignIn) -> None:
        self.ports.secrets.remember(_SIGN_IN, sign_in, until=self.ports.clock.now() + LIFE)


def _another(arn: str, request: Request) -> RoleRefused | None:
    """A refusal where the console is signed in to something else than the profile pins.

    An assumed role's ARN has no path: `role/team/Admin` is `assumed-role/Admin/NAME`.
    """
    hint = (
        "switch the account or role in the browser, or sign out at the AWS console, and run it"
        " again"
    )
    if request.account and account_of(arn) != request.account:
        return RoleRefused(
            f"the console is signed in to the account {account_of(arn)}, not {request.account}",
            hint=hint,
        )
    if request.role_arn:
        kind, _, rest = arn.split(":", 5)[5].partition("/")
        role = request.role_arn.rpartition("/")[2]
        same = kind == "assumed-role" and rest.split("/")[0] == role
        if not same or account_of(arn) != account_of(request.role_arn):
            return RoleRefused(
                f"the console is signed in as {arn}, not in the role {request.role_arn}", hint=hint
            )
    return None


def _mask(sign_in: StoredSignIn) -> None:
    """Have the sign-in's secrets masked wherever they would be shown."""
    for name in ("key", "refreshToken"):
        Secret(sign_in[name])
