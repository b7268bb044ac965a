"""Files of git repositories at a commit, by the `git` on PATH, kept in a cache of our own.

Owns how git is called: no hook, no prompt, no transport but the named one, no checkout (so neither
submodules nor LFS), bounded time and size. What is in the cache is never fetched again. Source:
git-config(1) on protocol.allow, git-fetch(1), gitattributes(5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from broker.errors import ConfigError, NetworkError, UsageError
from broker.paths import data_dir, private_dir
from broker.ports.git_reference import COMMIT, Reference
from broker.terminal_text import one_line

FETCH_SECONDS, LOCAL_SECONDS = 60, 20
MAX_PACK_BLOCKS = 400_000
"""Of 512 bytes: what one file that git writes may have."""
MAX_FILE_BYTES = 8 << 20
_ABBREVIATED = re.compile(r"[0-9a-fA-F]{4,40}")


class Repositories:
    """The cache.

    Args:
        environ: Says where it lies; git gets it too, as credentials may hang on it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._folder = data_dir(environ) / "repositories"

    def has(self, reference: Reference) -> bool:
        """Whether the commit is in the cache."""
        return self._kind(reference) == "commit"

    def _kind(self, reference: Reference) -> str:
        """What git has under the revision: `commit`, `tag`, …; empty for nothing."""
        place = self._place(reference)
        if not place.is_dir():
            return ""
        kind = self._git(place, "cat-file", "-t", reference.revision, may_fail=True)
        return (kind or b"").decode().strip()

    def read(self, reference: Reference) -> bytes:
        """A file of a commit that is in the cache.

        Raises:
            ConfigError: The commit is not there, or holds no such file.
        """
        if not self.has(reference):
            raise ConfigError(
                f"{reference.url} at {reference.revision[:12]} has not been fetched",
                hint="`awslogin config update` fetches it",
            )
        place = self._place(reference)
        listed = self._git(place, "ls-tree", "-l", "-z", reference.revision, "--", reference.file)
        about = (listed or b"").partition(b"\t")[0].split()
        if len(about) != 4 or about[1] != b"blob" or about[0] == b"120000":
            what = "a link" if about[:1] == [b"120000"] else "no file"
            raise ConfigError(f"{reference.file} is {what} in {reference.url}")
        if int(about[3]) > MAX_FILE_BYTES:
            raise ConfigError(f"{reference.file} in {reference.url} is larger than it may be")
        return self._git(place, "cat-file", "blob", about[2].decode()) or b""

    def newest(self, reference: Reference, branch: str | None = None) -> str:
        """The newest commit of a branch, or of the default one.

        Raises:
            NetworkError: The repository cannot be reached.
            ConfigError: There is no such branch or tag, or its commits have SHA-256 names.
        """
        wanted = branch or "HEAD"
        listed = self._git(
            None,
            *("ls-remote", "--", reference.url, wanted, f"{wanted}^{{}}"),
            seconds=FETCH_SECONDS,
            url=reference.url,
        )
        lines = [line.split(b"\t") for line in (listed or b"").splitlines()]
        names = {name.decode(errors="replace"): commit.decode() for commit, name in lines}
        tag = f"refs/tags/{wanted}"
        for name in (f"refs/heads/{wanted}", f"{tag}^{{}}", tag, wanted):
            if COMMIT.fullmatch(names.get(name, "")):
                return names[name]
        if any(len(commit) > 40 for commit in names.values()):
            raise ConfigError(f"{reference.url} names its commits by SHA-256: SHA-1 alone is taken")
        hint = "name a branch"
        if _ABBREVIATED.fullmatch(wanted):
            hint += f", or all 40 digits in lower case: `git rev-parse {wanted.lower()}`"
        raise ConfigError(f"{reference.url} has no branch or tag {wanted!r}", hint=hint)

    def fetch(self, reference: Reference) -> None:
        """Bring a commit into the cache, where it is not there yet.

        Raises:
            NetworkError: The repository cannot be reached.
            ConfigError: It holds no such commit, or is too large.
        """
        if self.has(reference):
            return
        place = private_dir(self._place(reference))
        if not (place / "HEAD").exists():
            self._git(None, "init", "--quiet", "--bare", "--template=", str(place))
        quiet = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        fetch = ("fetch", *quiet)
        that_commit = (*fetch, "--depth=1", "--", reference.url, reference.revision)
        _sweep(place)
        url, seconds = reference.url, FETCH_SECONDS
        if self._git(place, *that_commit, seconds=seconds, may_fail=True, url=url) is None:
            # Some servers give no commit by its name: then all branches, and it is among them.
            all_branches = (*fetch, "--", url, "+refs/heads/*:refs/heads/*")
            self._git(place, *all_branches, seconds=seconds, url=url)
        kind = self._kind(reference)
        if kind != "commit":
            what = f"is a {kind} of {url}, not" if kind else f"is not in {url}:"
            hint = "`awslogin config update` pins it to the newest commit"
            raise ConfigError(f"{reference.revision} {what} a commit", hint=hint)

    def _place(self, reference: Reference) -> Path:
        return self._folder / f"{hashlib.sha256(reference.url.encode()).hexdigest()[:32]}.git"

    def _git(
        self,
        place: Path | None,
        *arguments: str,
        seconds: float = LOCAL_SECONDS,
        may_fail: bool = False,
        url: str = "",
    ) -> bytes | None:
        """What git prints; None where it fails and may.

        Raises:
            UsageError: There is no git.
            NetworkError: It fails, or takes too long.
        """
        scheme = url.partition(":")[0] or next(
            (word.partition(":")[0] for word in arguments if "://" in word), "file"
        )
        settings = {
            "protocol.allow": "never",
            f"protocol.{scheme}.allow": "always",
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "fetch.fsckObjects": "true",
            "gc.auto": "0",
            "maintenance.auto": "false",
            "http.followRedirects": "initial",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        folder = ["--git-dir", str(place)] if place else []
        command = ["git", "--literal-pathspecs", *options, *folder, *arguments]
        environ = _environment(self._environ)
        program = shutil.which("git", path=environ["PATH"])
        if program is None:
            raise UsageError("`extends` needs git, which is not on PATH")
        command[0] = program
        if os.name == "posix":
            limit = f'ulimit -f {MAX_PACK_BLOCKS}; exec "$@"'
            command = ["/bin/sh", "-c", limit, "git", *command]
        try:
            code, out, err = _ended(command, environ, seconds)
        except subprocess.TimeoutExpired:
            raise NetworkError(
                f"git did not end within {seconds:.0f} s: {url or arguments[0]}",
                hint="try again later",
            ) from None
        if code == 0:
            return out
        if os.name == "posix" and f"died of signal {signal.SIGXFSZ:d}".encode() in err:
            most = MAX_PACK_BLOCKS // 2048
            raise ConfigError(f"{url or arguments[0]} is larger than it may be: {most} MiB")
        if may_fail:
            return None
        complaint = one_line(err.decode(errors="replace"), 300)
        raise NetworkError(
            f"git cannot read {url or arguments[0]}: {complaint}",
            hint="check the address and your access",
        )


def _sweep(place: Path) -> None:
    """Remove what fetches left that did not end; one that may still run keeps its files."""
    for path in place.glob("objects/pack/tmp_*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - 2 * FETCH_SECONDS:
                path.unlink()


def _ended(
    command: list[str], environ: Mapping[str, str], seconds: float
) -> tuple[int, bytes, bytes]:
    """Run a command to its end, with no terminal to ask at: its exit code, stdout and stderr.

    Raises:
        TimeoutExpired: It did not end in time; it and what it started are no more.
    """
    with subprocess.Popen(
        command,
        cwd=os.sep,  # git takes settings of a repository that it stands in
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException:  # its helpers that wait for a server end with it
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            raise
    return process.returncode, out, err


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Git's environment: the person's, without what redirects it, and without a prompt."""
    inherited = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("GIT_", "AWSLOGIN_", "AWS_"))
    }
    # A relative entry of PATH would take a `git` out of the working directory.
    parts = environ.get("PATH", os.defpath).split(os.pathsep)
    return inherited | {
        "PATH": os.pathsep.join(part for part in parts if Path(part).is_absolute()),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ClearAllForwardings=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "LC_ALL": "C",
    }
