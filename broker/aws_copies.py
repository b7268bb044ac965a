"""Private copies of the person's AWS files in which `[default]` holds no credentials.

SDKs take keys that stand in `[default]` before they ask a container endpoint. Owns which lines go
and where the copies lie; a file without such lines is not copied. The folder goes with the block,
and one that a killed process left behind goes with the next.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from broker import aws_files
from broker.paths import private_dir, state_dir, write_private

_SECTION = re.compile(rb"^\s*\[\s*(?:profile\s+)?[\"']?([^\]\"']*?)[\"']?\s*\]")
_CREDENTIALS = re.compile(
    rb"^(\s*)(?:aws_access_key_id|aws_secret_access_key|aws_session_token|aws_security_token"
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
        "BOTO_CONFIG": (Path(environ.get("BOTO_CONFIG") or "~/.boto").expanduser(), b"Credentials"),
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
    with _private_folder(private_dir(state_dir(environ) / "exec")) as folder:
        for name, content in changed.items():
            write_private(folder / name.lower(), content)
        yield {name: str(folder / name.lower()) for name in changed}


def _content(path: Path) -> bytes:
    """Nothing where there is no file, or one that the child cannot read either."""
    with contextlib.suppress(OSError):
        return path.read_bytes() if path.is_file() else b""
    return b""


@contextmanager
def _private_folder(parent: Path) -> Iterator[Path]:
    """A new folder, removed with the block; its lock says that somebody uses it."""
    with FileLock(parent / "lock", mode=0o600):
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = FileLock(f"{folder}.lock", mode=0o600)
        lock.acquire()
    try:
        yield folder
    finally:
        _remove(folder, lock)


def _sweep(parent: Path) -> None:
    for folder in [path for path in parent.iterdir() if path.is_dir()]:
        lock = FileLock(f"{folder}.lock", mode=0o600)
        with contextlib.suppress(Timeout):
            lock.acquire(blocking=False)
            _remove(folder, lock)


def _remove(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _without_credentials(content: bytes, section: bytes) -> bytes:
    kept: list[bytes] = []
    inside = dropping = False
    depth = 0
    for line in content.splitlines(keepends=True):
        head = _SECTION.match(line)
        setting = _CREDENTIALS.match(line) if inside and not head else None
        indent = len(line) - len(line.lstrip())
        if head:
            inside, dropping = head.group(1) == section, False
        elif setting:
            dropping, depth = True, indent
        elif dropping and line.strip() and indent <= depth:
            dropping = False
        if not dropping:
            kept.append(line)
    return b"".join(kept)
