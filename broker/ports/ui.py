"""The person. Owns every question, notice and browser window; stdout is never touched.

Prompts go to the controlling terminal, whatever stdin and stdout are. Under `--no-input`, and where
there is no terminal, a question is answered by the environment or ends in `InteractionRequired`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from broker.errors import InteractionRequired, UsageError
from broker.failure_line import is_for_sdk
from broker.ports import terminal
from broker.ports.browser_reachability import browser_is_here
from broker.secret import Secret
from broker.terminal_text import escape_controls, to_stderr

PERSON_SECONDS = 600.0
PROGRAM_SECONDS = 45.0
"""Where an SDK waits, which gives a credential process a minute."""


MAX_SHOWN = 15
"""Options that are listed at once; more are reached by typing a part of them."""


class Ui:
    """Asks and tells.

    Args:
        environ: Where `AWSLOGIN_USERNAME` and its like are looked up.
        may_ask: False under `--no-input`.
        may_browse: False under `--no-browser` and `--no-input`.
        quiet: No progress lines.
        browser_alone: Where there is no terminal, a browser may be opened all the same.
        provider: The provider's name, for the suffix of those variables.

    Attributes:
        interactive: Whether the person can be asked.
        may_browse: Whether a browser may be opened.
        person_seconds: What a person at a browser has to sign in.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        may_ask: bool = True,
        may_browse: bool = True,
        quiet: bool = False,
        browser_alone: bool = False,
        provider: str | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.interactive = may_ask and terminal.has_terminal()
        self.may_browse = may_browse and (self.interactive or browser_alone)
        self.person_seconds = PERSON_SECONDS
        self._quiet = quiet
        self._provider = provider
        self._codes_given = False
        self._program_for: str | None = None
        self._same_person: list[Ui] = [self]

    def of(self, provider: str) -> Ui:
        """The same person, asked by another provider."""
        scoped = object.__new__(Ui)
        scoped.__dict__.update(self.__dict__, _provider=provider, _codes_given=False)
        self._same_person.append(scoped)
        return scoped

    def stderr_is_a_programs(self, profile: str) -> None:
        """An SDK has called us for this profile, and shows our stderr to nobody."""
        if not os.isatty(2):
            self._program_for = profile
            if not self.interactive:
                self.person_seconds = min(self.person_seconds, PROGRAM_SECONDS)

    @property
    def browser_is_here(self) -> bool:
        """Whether a browser may be opened that comes back to a port of this machine.

        Who has no terminal has said so in their settings.
        """
        return self.may_browse and (not self.interactive or browser_is_here(os.environ))

    def can_sign_in(self, *, by_browser: bool) -> bool:
        """Whether a person can be had: at the terminal, or at the browser where that is enough."""
        return self.interactive or (by_browser and self.may_browse)

    def leave_alone(self) -> None:
        """From now on this person is asked nothing, by no provider: a child has the terminal."""
        for ui in self._same_person:
            ui.interactive = ui.may_browse = False
            ui._quiet = True  # noqa: SLF001 - the same person

    def username(self, default: str | None = None) -> str:
        """The user's name: the environment's, else `default`, else asked.

        Raises:
            InteractionRequired: None is known and nobody can be asked.
        """
        given = self._given("USERNAME") or default
        return given or self.ask("Username", variable="AWSLOGIN_USERNAME")

    def given_password(self) -> Secret | None:
        """The password that the environment gives, or None."""
        given = self._given("PASSWORD")
        return Secret.typed(given) if given else None

    def given_client_secret(self) -> Secret | None:
        """The secret of an API client that the environment gives, or None."""
        given = self._given("CLIENT_SECRET")
        return Secret(given) if given else None

    def password(self, question: str = "Password") -> Secret:
        """The password, from the environment or asked without echo."""
        return self.given_password() or Secret(
            self.ask(question, secret=True, variable="AWSLOGIN_PASSWORD")
        )

    def code(self, question: str = "One-time code") -> str:
        """A one-time code, digits and letters without spaces.

        The environment's is given out once: a second question in this process is the person's.

        Raises:
            InteractionRequired: None is left in the environment and nobody can be asked.
        """
        code = self.given_code() or self.ask(question, variable="AWSLOGIN_MFA_CODE")
        return code.replace(" ", "")

    def given_code(self) -> str | None:
        """The environment's one-time code, once; None ever after, as a code is never sent twice."""
        given = None if self._codes_given else self._given("MFA_CODE")
        self._codes_given = True
        return given

    def ask(self, question: str, *, secret: bool = False, variable: str = "") -> str:
        """Ask on the terminal.

        Args:
            question: Without colon.
            secret: Do not echo.
            variable: The environment variable that would have answered, for the message.

        Raises:
            InteractionRequired: Nobody can be asked.
        """
        label = escape_controls(f"{question} ({self._provider})" if self._provider else question)
        with self._terminal(question, variable) as opened:
            while True:
                answer = terminal.read_line(opened, f"{label}: ", secret=secret).strip("\r\n")
                if answer.strip():
                    return Secret.typed(answer).reveal() if secret else answer.strip()

    def confirm(self, question: str, *, about: str = "") -> bool:
        """A yes-or-no question; only `y` or `yes` is yes.

        Args:
            question: What is asked.
            about: What the question is about, shown first and where it is asked: it may be long.
        """
        with self._terminal(question, "--yes") as opened:
            if about:
                terminal.write(opened, f"{escape_controls(about).rstrip()}\n")
            answer = terminal.read_line(opened, f"{escape_controls(question)} [y/N] ", secret=False)
        return answer.strip().lower() in {"y", "yes"}

    def choose(self, title: str, options: Sequence[str], *, hint: str = "") -> int:
        """Let the person pick; the index of the option picked. A single option is taken unasked.

        A number picks; any other text narrows the list down to the options that hold it.

        Args:
            title: What is picked.
            options: One line each.
            hint: What to set so that nobody need be asked.

        Raises:
            InteractionRequired: Several options and nobody to ask.
        """
        if len(options) == 1:
            return 0
        shown = list(range(len(options)))
        with self._terminal(title, hint) as opened:
            while True:
                lines = [f"{place:3}  {options[index]}" for place, index in enumerate(shown, 1)]
                if len(lines) > MAX_SHOWN:
                    lines[MAX_SHOWN:] = [f"     and {len(lines) - MAX_SHOWN} more"]
                terminal.write(opened, escape_controls("\n".join([title, *lines, ""])))
                answer = terminal.read_line(
                    opened, "Number, or part of the name: ", secret=False
                ).strip()
                if answer.isdigit() and 1 <= int(answer) <= len(shown):
                    return shown[int(answer) - 1]
                if "\x1b" in answer:  # Esc
                    raise KeyboardInterrupt
                found = _matching(answer, options)
                if len(found) == 1:
                    return found[0]
                if not found:
                    terminal.write(opened, escape_controls(f"nothing is like “{answer}”\n"))
                shown = found or list(range(len(options)))

    def show(self, message: str) -> None:
        """What the person needs for the sign-in (a user code, a number to match): always shown.

        Where stderr is no terminal, on the controlling terminal too: an SDK keeps our stderr.

        Raises:
            InteractionRequired: Nobody would see it.
        """
        text = escape_controls(message)
        if self._program_for and not (self.interactive or self.may_browse):
            raise InteractionRequired(
                f"a person is needed, and nobody would see: {' '.join(text.split())}",
                hint=self._on_a_terminal,
            )
        print(text, file=sys.stderr, flush=True)
        if self.interactive:
            terminal.show_beside_stderr(text)

    def progress(self, message: str) -> None:
        """What is going on; silent under `--quiet`, and for an SDK, which shows it at a failure."""
        if not (self._quiet or (self._program_for and is_for_sdk())):
            to_stderr(escape_controls(message))

    def waiting(self, message: str) -> None:
        """What is waited for that a person may have to do something about; as `show`, or silent."""
        self.progress(message)
        if self.interactive and not self._quiet:
            terminal.show_beside_stderr(escape_controls(message))

    def warn(self, message: str) -> None:
        """Something the person should know though the command goes on."""
        to_stderr(f"warning: {message}")

    def browse(self, url: str) -> bool:
        """Open a web page; False where no browser may or can be opened.

        Raises:
            InteractionRequired: There is no terminal, and no browser opens or nobody came to one.
        """
        if not self.may_browse:
            return False
        from broker.ports.open_page import open_page

        self.announce_browser()
        opened = open_page(url, self._environ)
        if not (opened or self.interactive):
            raise InteractionRequired("no browser opens here", hint=self._on_a_terminal)
        return opened

    def announce_browser(self) -> None:
        """Before a browser opens: who has no terminal is told on the desktop, and not twice.

        Raises:
            InteractionRequired: There is no terminal, and nobody came to the last browser.
        """
        if self.interactive:
            return
        from broker.ports.notification import notify
        from broker.ports.open_page import was_opened_lately

        if was_opened_lately(self._provider or "", self._environ):
            raise InteractionRequired(
                "a browser was opened for this sign-in, and nobody finished it",
                hint=self._on_a_terminal,
            )
        notify(f"Sign in for {self._provider or 'AWS'} in the browser", self._environ)

    @contextlib.contextmanager
    def counting(self, doing: str, total: int) -> Iterator[Callable[[], None]]:
        """Show how far many like calls have come: a bar on a terminal, else one line.

        Args:
            doing: What is done so often: `getting sessions`.
            total: How many there will be; the block calls what it is given once for each.
        """
        if self._quiet or total < 2 or not sys.stderr.isatty():
            if total > 1:
                self.progress(f"{doing}: {total}")
            yield lambda: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda: progress.advance(task)

    @property
    def _on_a_terminal(self) -> str:
        return f"`awslogin login {self._program_for or 'PROFILE'}` on a terminal"

    def variable_of(self, what: str) -> str | None:
        """The variable that gives this provider a `USERNAME`, `PASSWORD` or `MFA_CODE`, or None."""
        return next((name for name in self._variables(what) if self._environ.get(name)), None)

    def _variables(self, what: str) -> list[str]:
        suffix = (self._provider or "").upper().replace("-", "_")
        own = [f"AWSLOGIN_{what}_{suffix}"] if suffix else []
        return [*own, f"AWSLOGIN_{what}"]

    def _given(self, what: str) -> str | None:
        for name in self._variables(what):
            given = self._environ.get(name, "").rstrip("\r\n")  # as mounted secrets end
            if given and _has_other_bytes(given):
                raise UsageError(f"{name} is not UTF-8 text")
            if given:
                return given
        return None

    @contextlib.contextmanager
    def _terminal(self, question: str, variable: str) -> Iterator[terminal.Terminal]:
        if not self.interactive:
            raise InteractionRequired(
                f"a person is needed to answer “{question}”"
                + (f" for provider {self._provider}" if self._provider else ""),
                hint=f"set {variable}" if variable else "run it on a terminal",
            )
        reader, writer = terminal.open_terminal()
        try:
            yield (reader, writer)
        finally:
            reader.close()
            writer.close()


def _has_other_bytes(text: str) -> bool:
    """Whether the environment's bytes were not UTF-8: Python keeps them as lone surrogates."""
    return any("\udc80" <= letter <= "\udcff" for letter in text)


def _matching(wanted: str, options: Sequence[str]) -> list[int]:
    """The options that hold the text as it is; else those that hold its letters in their order."""
    whole = [i for i, text in enumerate(options) if wanted.lower() in text.lower()]
    return whole or [i for i, text in enumerate(options) if _fuzzy(wanted, text)]


def _fuzzy(wanted: str, text: str) -> bool:
    """Whether the letters of `wanted` occur in `text` in their order."""
    letters = iter(text.lower())
    return all(letter in letters for letter in wanted.lower() if letter != " ")
