"""AWS's own files and variables, as far as they come between the SDKs and our sessions."""

from __future__ import annotations

import configparser
import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from broker import aws_files
from broker.doctor.finding import Finding, Machine
from broker.errors import AwsLoginError
from broker.regions import flaw_in_region

_BESIDE = ("login_session", "sso_session", "sso_start_url", "aws_access_key_id", "source_profile")
"""Settings that some SDK prefers to `credential_process`, or refuses beside it."""
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def environment(machine: Machine) -> Iterator[Finding]:
    """Keys in the environment win over every profile."""
    environ = machine.environ
    inside = environ.get("AWSLOGIN_PROFILE")
    if any(environ.get(name) for name in _KEYS) and not inside:
        kind = "a user's own keys are" if not environ.get("AWS_SESSION_TOKEN") else "a session is"
        yield Finding(
            "environment",
            "warning",
            f"{kind} in the environment ({', '.join(name for name in _KEYS if environ.get(name))}):"
            " SDKs take them before any profile",
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        )
    else:
        yield Finding("environment", "ok", "no keys are in the environment")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        region = environ.get(name)
        if region and (flaw := flaw_in_region(region)):
            yield Finding("environment", "error", f"{name}: {flaw}", f"correct {name}, or unset it")


def credentials_file(machine: Machine) -> Iterator[Finding]:
    """A user's own keys in plain text."""
    path = aws_files.credentials_path(machine.environ)
    keys = aws_files.plain_keys(
        aws_files.read(path, "AWS_SHARED_CREDENTIALS_FILE") or b"", str(path)
    )
    if keys:
        yield Finding(
            "credentials-file",
            "warning",
            f"{path} holds keys in plain text: {', '.join(sorted(keys))}",
            "awslogin import aws-credentials --remove",
        )
    else:
        yield Finding("credentials-file", "ok", f"{path} holds no keys in plain text")


def config_file(machine: Machine) -> Iterator[Finding]:
    """Whether SDKs can read the file, and what `setup` wrote there still works."""
    path = aws_files.config_path(machine.environ)
    content = aws_files.read(path) or b""
    try:
        sections = _sections(content)
    except (configparser.Error, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        yield Finding(
            "setup",
            "error",
            f"{path}{f':{line}' if line else ''} is not a file that the AWS SDKs read"
            f" ({type(error).__name__})",
            "correct it by hand",
        )
        return
    wrong = False
    with_keys: set[str] = set()
    with contextlib.suppress(AwsLoginError):  # told by the check of that file
        with_keys = aws_files.profiles_with_keys(
            aws_files.read(aws_files.credentials_path(machine.environ)) or b""
        )
    for name, values in sections.items():
        for finding in _line(name, values.get("credential_process", ""), str(path)):
            wrong = True
            yield finding
        beside = [key for key in _BESIDE if key in values]
        own = name.removeprefix("profile ").strip()
        if "credential_process" in values and own in with_keys:
            wrong = True
            credentials = aws_files.credentials_path(machine.environ)
            yield Finding(
                "setup",
                "warning",
                f"{credentials}: [{own}] holds keys, which SDKs take before the"
                f" `credential_process` of {path}: [{name}]",
                f"take [{own}] out of {credentials}",
            )
        if "credential_process" in values and beside:
            wrong = True
            yield Finding(
                "setup",
                "warning",
                f"{path}: [{name}] has `{beside[0]}` beside `credential_process`",
                f"take `{beside[0]}` out of [{name}]",
            )
    if not wrong:
        yield Finding("setup", "ok", f"{path} is as the SDKs need it")


def _line(section: str, line: str, path: str) -> Iterator[Finding]:
    """What no longer works in a line that `setup` wrote."""
    try:
        arguments = shlex.split(line)
    except ValueError:
        arguments = line.split()
    if "creds" not in arguments or not any(
        "awslogin" in argument or "broker" in argument for argument in arguments
    ):
        return
    files = [argument for argument in arguments if Path(argument).is_absolute()]
    missing = [file for file in files if not Path(file).exists()]
    if missing:
        yield Finding(
            "setup",
            "error",
            f"{path}: the line of [{section}] names {missing[0]}, which is not there any more",
            "awslogin setup",
        )
    elif "--config" in arguments and arguments[-1].endswith("awslogin.yaml"):
        yield Finding(
            "setup",
            "warning",
            f"{path}: the line of [{section}] is of an older version",
            "awslogin setup",
        )


def _sections(content: bytes) -> Mapping[str, Mapping[str, str]]:
    """The file as botocore reads it."""
    parser = configparser.RawConfigParser(default_section="\0")
    parser.read_string(content.decode("utf-8-sig"))
    return {name: parser[name] for name in parser.sections()}
