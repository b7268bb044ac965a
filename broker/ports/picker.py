"""The picker: a list on the terminal that narrows while the person types. Keyboard only.

It reads the controlling terminal, so stdin and stdout may be anything. What was typed before it
opened counts. A terminal that cannot move its cursor gets the numbered list of `Ui.choose`.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from broker.ports import terminal
from broker.ports.candidates import Candidate, Narrowing
from broker.ports.ui import MAX_SHOWN, Ui
from broker.terminal_text import one_line

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

ESCAPE_SECONDS = 0.05
"""How long an Esc may be the beginning of an arrow key's bytes."""
_PASTE = "<bracketed-paste>"


def pick(
    ui: Ui, title: str, candidates: Sequence[Candidate], environ: Mapping[str, str] = os.environ
) -> Candidate:
    """The candidate that the person picks. A single one is taken unasked.

    Args:
        ui: The person.
        title: What is picked.
        candidates: In the order in which they are shown while nothing is typed.
        environ: `TERM` says what the terminal can do.

    Raises:
        InteractionRequired: Nobody can be asked.
        KeyboardInterrupt: The person left by Esc, Ctrl-C or Ctrl-D, or closed the terminal.
    """
    if len(candidates) == 1 or not ui.interactive or is_dumb(environ):
        return candidates[ui.choose(title, [candidate.line for candidate in candidates])]
    reader, writer = terminal.open_terminal()
    try:
        with reader, writer, terminal.ending_tidily():
            picked = Picker(title, candidates).run((reader, writer))
            terminal.write((reader, writer), f"{title} {one_line(picked.name)}\n")
    except (EOFError, OSError) as error:  # the terminal is gone
        raise KeyboardInterrupt from error
    return picked


def is_dumb(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is known to move no cursor, or nothing is known of it."""
    unknown = "" if sys.platform == "win32" else "dumb"
    return (environ.get("TERM") or unknown) in {"dumb", "unknown"}


class Picker:
    """What is typed and where the mark stands, and the lines that show it."""

    def __init__(self, title: str, candidates: Sequence[Candidate]) -> None:
        self._title = title
        self._count = len(candidates)
        self._narrowing = Narrowing(candidates)
        self._typed = ""
        self._place = 0

    def run(self, opened: terminal.Terminal) -> Candidate:
        """Let the person pick on this terminal.

        Raises:
            KeyboardInterrupt: They left.
            EOFError, OSError: The terminal is gone.
        """
        # macOS's kqueue, which asyncio takes there, cannot wait for /dev/tty; select can.
        with asyncio.Runner(
            loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
        ) as runner:
            application = self._application(opened)
            return runner.run(
                application.run_async(set_exception_handler=False, handle_sigint=False)
            )

    def type(self, text: str) -> None:
        """Add to what is typed; the mark goes to the first line."""
        self._typed += "".join(letter for letter in text if letter.isprintable())
        self._place = 0

    def rub_out(self, *, all_of_it: bool = False) -> None:
        """Take away the last letter, or all."""
        self._typed = "" if all_of_it else self._typed[:-1]
        self._place = 0

    def move(self, lines: int) -> None:
        """Move the mark, not over the ends."""
        self._place = max(0, min(self._place + lines, len(self._found) - 1))

    @property
    def marked(self) -> Candidate | None:
        """Where the mark stands, or None where nothing is like what is typed."""
        return self._found[self._place] if self._found else None

    def lines(self, width: int, height: int) -> list[str]:
        """What is shown: the question, the candidates around the mark, and how many there are."""
        found, rows = self._found, max(1, min(MAX_SHOWN, height - 3))
        first = max(0, min(self._place - rows // 2, len(found) - rows))
        shown = [
            f"{'❯' if place == self._place else ' '} {one_line(candidate.line, width - 3)}"
            for place, candidate in enumerate(found[first : first + rows], first)
        ]
        count = f"{len(found)} of {self._count}  ↑ ↓ Enter Esc"
        if not found:
            count = f"nothing is like it: 0 of {self._count}"
        return [
            f"{self._title} {self._typed}"[-(width - 1) :],
            *shown,
            f"  {one_line(count, width - 3)}",
        ]

    @property
    def _found(self) -> Sequence[Candidate]:
        return self._narrowing.like(self._typed)

    def _application(self, opened: terminal.Terminal) -> Application[Candidate]:
        from prompt_toolkit.application import Application
        from prompt_toolkit.input import create_input
        from prompt_toolkit.layout import FormattedTextControl, Layout, Window
        from prompt_toolkit.output import create_output
        from prompt_toolkit.output.vt100 import Vt100_Output

        output = create_output(opened[1])
        if isinstance(output, Vt100_Output):
            output.enable_cpr = False  # the answer would come between the keys
        control = FormattedTextControl(lambda: self._fragments(output), focusable=True)
        application: Application[Candidate] = Application(
            layout=Layout(Window(control, dont_extend_height=True)),
            key_bindings=self._keys(),
            erase_when_done=True,
            input=create_input(opened[0]),
            output=output,
        )
        application.ttimeoutlen = ESCAPE_SECONDS
        return application

    def _fragments(self, output: Output) -> StyleAndTextTuples:
        size = output.get_size()
        question, *shown, count = self.lines(size.columns, size.rows)
        fragments: StyleAndTextTuples = [("bold", question), ("[SetCursorPosition]", "")]
        for line in shown:
            fragments += [("", "\n"), ("reverse" if line.startswith("❯") else "", line)]
        return [*fragments, ("", f"\n{count}")]

    def _keys(self) -> KeyBindings:
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()
        moves = {
            "up": -1, "c-p": -1, "down": 1, "c-n": 1, "pageup": -MAX_SHOWN, "pagedown": MAX_SHOWN,
            "home": -self._count, "end": self._count,
        }  # fmt: skip
        for key, lines in moves.items():
            keys.add(key)(lambda _, lines=lines: self.move(lines))
        keys.add("backspace")(lambda _: self.rub_out())
        keys.add("c-u")(lambda _: self.rub_out(all_of_it=True))
        keys.add(_PASTE)(lambda event: self.type(event.data))
        keys.add("<any>")(lambda event: self.type(event.data))

        @keys.add("enter")
        @keys.add("c-j")  # what an Enter becomes that was pressed before the picker opened
        def _take(event: KeyPressEvent) -> None:
            if self.marked:
                event.app.exit(result=self.marked)

        @keys.add("escape", eager=True)
        @keys.add("c-c")
        @keys.add("c-d")
        def _leave(event: KeyPressEvent) -> None:
            event.app.exit(exception=KeyboardInterrupt)

        return keys
