"""The AWS port: what it makes of replies that AWS itself would never give."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from broker.arn import account_of, partition_of, region_for
from broker.errors import AwsLoginError, ConfigError, NetworkError, UnexpectedReply
from broker.ports.aws import Aws
from broker.ports.deadline import TimeIsUpError
from broker.provider import Credentials, Request
from broker.regions import flaw_in_region
from broker.secret import Secret
from tests.sandbox import listening
from tests.support import PATIENCE

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("s" * 40))


class Sts:
    """Answers everything with one reply, and counts."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"", {}  # type: int, bytes, dict[str, str]
        self.asked = 0
        self.hangs: threading.Event | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                if outer.hangs:
                    outer.hangs.wait(PATIENCE)
                self.wfile.write(outer.body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        listening.start(self.server)
        self.aws = Aws({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}"})


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    running = Sts()
    yield running
    listening.stop(running.server)


@pytest.mark.parametrize(
    ("status", "body", "error", "asked"),
    [
        (200, b"<html>sign in to the wifi</html>", UnexpectedReply, 1),
        (200, b"{}", UnexpectedReply, 1),
        (200, b"", UnexpectedReply, 1),
        (302, b"", UnexpectedReply, 1),
        (429, b"slow down", NetworkError, 3),
        (500, b'{"not": "xml"}', NetworkError, 3),
        (503, b"<html>", NetworkError, 3),
    ],
)
def test_a_reply_that_is_not_awss(
    sts: Sts, status: int, body: bytes, error: type[AwsLoginError], asked: int
) -> None:
    sts.status, sts.body = status, body
    with pytest.raises(error):
        sts.aws.caller_identity(KEYS, "eu-west-1")
    assert sts.asked == asked


STARTS = b"<GetCallerIdentityResponse><GetCallerIdentityResult>"


def test_a_reply_is_bounded_in_size(sts: Sts) -> None:
    sts.body = STARTS + b" " * (6 << 20)
    with pytest.raises(UnexpectedReply):
        sts.aws.caller_identity(KEYS, "eu-west-1")
    assert sts.asked == 1


def test_a_reply_is_bounded_in_time(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.ports.aws_sender.DEADLINE", 0.2)
    sts.body, sts.hangs = STARTS, threading.Event()
    with pytest.raises(NetworkError, match="in time"):
        sts.aws.caller_identity(KEYS, "eu-west-1")
    sts.hangs.set()


def test_a_reply_is_bounded_in_time_with_all_its_repetitions(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    given: list[float] = []

    def hangs(seconds: float, call: object) -> None:
        given.append(seconds)
        passed[0] += seconds
        raise TimeIsUpError

    time = SimpleNamespace(monotonic=lambda: passed[0], sleep=lambda _: None)
    monkeypatch.setattr("broker.ports.aws_sender.time", time)
    monkeypatch.setattr("broker.ports.aws_sender.within", hangs)
    with pytest.raises(NetworkError, match="in time"):
        sts.aws.caller_identity(KEYS, "eu-west-1")
    assert given == [20, 8]  # and no third, which nobody would wait for


@pytest.mark.parametrize("until", ["1" * 400, "inf", "9999-12-31T23:59:59-14:00", "soon", ""])
def test_an_expiration_that_is_none(sts: Sts, until: str) -> None:
    sts.body = (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>"
        "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()
    request = Request(profile="p", region="eu-west-1", role_arn="arn:aws:iam::111122223333:role/R")
    with pytest.raises(UnexpectedReply):
        sts.aws.assume_role(KEYS, request)


def test_a_host_that_stands_in_for_aws_is_named_once() -> None:
    told: list[str] = []
    for url in ("https://sts.corp.example:8443", "http://127.0.0.1:1", "http://localhost:1"):
        aws = Aws({"AWS_ENDPOINT_URL": url}, told.append)
        aws.client("sts", "eu-west-1")
        aws.client("sts", "eu-west-1")
    (line,) = told
    assert "sts.corp.example:8443" in line


def test_a_call_with_a_code_is_made_once(sts: Sts) -> None:
    sts.status = 503
    with pytest.raises(NetworkError, match="503"), sts.aws.errors("it"):
        sts.aws.client("sts", "eu-west-1", KEYS, once=True).get_session_token()
    assert sts.asked == 1


def test_a_pause_is_kept_but_not_a_long_one(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("broker.ports.aws_sender.time.sleep", pauses.append)
    sts.status, sts.headers["Retry-After"] = 503, "3600"
    with pytest.raises(NetworkError):
        sts.aws.caller_identity(KEYS, "eu-west-1")
    assert max(pauses) <= 20
    assert pauses.count(5.0) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:abc",
        "http://[::1",
        "http://sts.corp.example",
        "http://127.0.0.1:1\\@127.0.0.1:2/",
        "sts.corp.example",
    ],
)
def test_an_endpoint_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL"):
        Aws({"AWS_ENDPOINT_URL": url}).client("sts", "eu-west-1")


def test_a_region_that_is_none() -> None:
    with pytest.raises(ConfigError, match="region"):
        Aws({}).client("sts", "no region!")


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"), ("mx-central-1", "aws"), ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"), ("us-iso-east-1", "aws-iso"), ("eu-south-9", "aws"),
        ("us-isob-east-1", "aws-iso-b"), ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"), ("eusc-de-east-1", "aws-eusc"), ("xx-east-1", "aws"),
    ],
)  # fmt: skip
def test_partitions_by_botocores_data(region: str, partition: str) -> None:
    assert partition_of(region) == partition


def test_a_region_in_the_partition_of_a_role() -> None:
    role = "arn:aws-us-gov:iam::111122223333:role/R"
    assert region_for(role, "eu-west-1") == "us-gov-west-1"
    assert region_for(role, "us-gov-east-1") == "us-gov-east-1"
    assert region_for(role.replace("-us-gov", "-cn")) == "cn-north-1"
    assert region_for(role.replace("-us-gov", "-iso-e")) == "eu-isoe-west-1"


@pytest.mark.parametrize(
    ("region", "hint"),
    [("eu-wst-1", "`eu-west-1`"), ("ue-west-1", "no region ue-west-1"), ("us-est-2", "no region")],
)
def test_regions_that_aws_has_not(region: str, hint: str) -> None:
    assert hint in str(flaw_in_region(region))


@pytest.mark.parametrize("region", ["eu-west-1", "eu-west-7", "us-gov-west-1", "eu-isoe-west-1"])
def test_regions_that_aws_has_or_may_have(region: str) -> None:
    assert flaw_in_region(region) is None


ERROR = (
    "<ErrorResponse><Error><Code>{}</Code><Message>{}</Message></Error>"
    "<RequestId>1</RequestId></ErrorResponse>"
)


@pytest.mark.parametrize(
    ("code", "sentence", "exit_code", "hint"),
    [
        ("RequestExpired", "Request has expired", 3, "clock"),
        ("RequestTimeTooSkewed", "The difference is too large", 3, "clock"),
        ("OptInRequired", "You are not subscribed to this service", 3, "account"),
        ("NotAuthorized", "You do not have permission", 8, "trust policy"),
        ("RequestTimeout", "Your socket connection was not read", 5, "later"),
        ("InvalidIdentityToken", "Couldn't retrieve verification key from it", 5, "later"),
        ("InvalidIdentityToken", "Incorrect token audience", 3, "registration"),
        ("AccessDenied", "MultiFactorAuthentication failed: verify your MFA serial number", 3,
         "mfa_serial"),
        ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code", 3,
         "next one-time code"),
        ("Strange", "?", 6, ""),
    ],
)  # fmt: skip
def test_what_awss_codes_mean(
    sts: Sts, code: str, sentence: str, exit_code: int, hint: str
) -> None:
    sts.status, sts.body = 400, ERROR.format(code, sentence).encode()
    with pytest.raises(AwsLoginError) as failed:
        sts.aws.caller_identity(KEYS, "eu-west-1")
    assert (failed.value.exit_code, hint in failed.value.hint) == (exit_code, True)


def test_arns_of_any_make() -> None:
    assert account_of("foo") is None
    assert account_of("arn:aws:iam::²11122223333:user/x") is None
    assert partition_of("cn-north-1", "foo") == "aws-cn"
