"""Private copies of the person's AWS files in which `[default]` holds no credentials.

SDKs take keys that stand in `[default]` before they ask a container endpoint. Owns which lines go
and where the copies lie; a file without such lines is not copied. The folder goes with the block,
and one that a killed process left behind goes with the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from broker import aws_files
from broker.owned_tempdir import owned_tempdir
from broker.paths import expanded, private_dir, state_dir, write_private

_SECTION = re.compile(rb"\[\s*(?:profile\s+)?[\"']?([^\]\"']*?)[\"']?\s*\]")
_CREDENTIALS = re.compile(
    rb"(?:aws_access_key_id|aws_secret_access_key|aws_session_token|aws_security_token"
    rb"|credential_process|credential_source|source_profile|role_arn|role_session_name"
    rb"|external_id|mfa_serial|duration_seconds|web_identity_token_file|login_session|sso_\w+)"
    rb"\s*[=:]",
    re.IGNORECASE,
)
"""What makes an SDK sign in from the files. Source: botocore's credential chain, SDK reference."""


@contextmanager
def without_default_credentials(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables that lead an SDK to the copies; empty where none is needed."""
    files = {
        "AWS_CONFIG_FILE": (aws_files.config_path(environ), b"default"),
        "AWS_SHARED_CREDENTIALS_FILE": (aws_files.credentials_path(environ), b"default"),
        "BOTO_CONFIG": (expanded(environ.get("BOTO_CONFIG") or "~/.boto"), b"Credentials"),
    }
    changed: dict[str, bytes] = {}
    for name, (path, section) in files.items():
        before = _content(path)
        after = _without_credentials(before, section)
        if after != before:
            changed[name] = after
    if not changed:
        yield {}
        return
    parent = private_dir(state_dir(environ) / "exec")
    with owned_tempdir(parent) as folder, _goes_with_us(folder):
        for name, content in changed.items():
            write_private(folder / name.lower(), content)
        yield {name: str(folder / name.lower()) for name in changed}


@contextmanager
def _goes_with_us(folder: Path) -> Iterator[None]:
    """A process that removes the folder when our end of a pipe closes, which a kill does too."""
    if os.name != "posix":
        yield
        return
    with subprocess.Popen(
        ["/bin/sh", "-c", 'read _; exec rm -rf -- "$1" "$1.lock"', "sh", str(folder)],
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        yield


def _content(path: Path) -> bytes:
    """Nothing where there is no file, or one that the child cannot read either."""
    with contextlib.suppress(OSError):
        return path.read_bytes() if path.is_file() else b""
    return b""


def _without_credentials(content: bytes, section: bytes) -> bytes:
    """The content without a section's credential settings and the lines that go on from them.

    Lines mean what they mean to Python's configparser, which botocore reads the files with: one
    that is indented deeper than the option before it goes on from that option, whatever it says.
    """
    remaining: list[bytes] = []
    inside = dropping = False
    option_at: int | None = None
    for line in content.splitlines(keepends=True):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        goes_on = option_at is not None and indent > option_at
        if text and not text.startswith((b"#", b";")) and not goes_on:
            head = _SECTION.match(text)
            inside = head.group(1) == section if head else inside
            option_at = None if head else indent
            dropping = inside and not head and bool(_CREDENTIALS.match(text))
        if not dropping:
            remaining.append(line)
    return b"".join(remaining)
