"""What an examination finds, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from broker.cli.report import as_ours
from broker.errors import WORST_FIRST, AwsLoginError

if TYPE_CHECKING:
    from broker.config import Config

Severity = Literal["ok", "info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        id: What was looked at: `keychain`, `clock`, ….
        severity: `ok`, `info`, `warning` or `error`.
        message: What was found, and where.
        mend: The command that mends it; empty where nothing must be.
        code: Of an error: the exit code of its kind.
        fix: Does what `mend` says, where that is ours to do.
    """

    id: str
    severity: Severity
    message: str
    mend: str = ""
    code: int = 2
    fix: Callable[[], object] | None = field(default=None, compare=False)

    @classmethod
    def of(cls, id_: str, error: AwsLoginError) -> Finding:
        """A failure, as an examination tells it."""
        mend = error.hint or f"correct {getattr(error, 'file', None) or 'it'} by hand"
        return cls(id_, "error", error.message, mend, error.exit_code)


@dataclass
class Machine:
    """What the checks look at.

    Attributes:
        environ: The environment.
        cwd: The working directory.
        load: Loads the config that counts here; raises what is wrong with it.
    """

    environ: Mapping[str, str]
    cwd: Path
    load: Callable[[], Config]
    _loading: Lock = field(default_factory=Lock)

    @cached_property
    def _loaded(self) -> Config | AwsLoginError:
        try:
            return self.load()
        except (AwsLoginError, OSError) as error:
            return as_ours(error)

    @property
    def config(self) -> Config | None:
        """The config, or None where it is missing or spoiled."""
        with self._loading:  # several checks ask at once
            return None if isinstance(self._loaded, AwsLoginError) else self._loaded

    @property
    def config_error(self) -> AwsLoginError | None:
        """Why there is no config."""
        with self._loading:
            return self._loaded if isinstance(self._loaded, AwsLoginError) else None


Check = Callable[[Machine], Iterable[Finding]]


def exit_code(findings: Iterable[Finding]) -> int:
    """0 without an error, else the code of the worst kind."""
    codes = {finding.code for finding in findings if finding.severity == "error"}
    return next((code for code in WORST_FIRST if code in codes), 0)
