"""The terminal that tests sit at."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.real.parts.process import clean_environ
from tests.real.parts.terminal import CTRL_C, Terminal, run

ENV = clean_environ()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_all_three_are_the_terminal_unless_redirected() -> None:
    code = "import sys; print([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)])"
    assert run(python(code), env=ENV).screen == "[True, True, True]\n"
    piped = run(python(code), env=ENV, stdin="", pipe_out=True, pipe_err=True)
    assert (piped.screen, piped.out) == ("", "[False, False, False]\n")


def test_a_prompt_shows_on_the_terminal_while_everything_else_is_piped() -> None:
    code = """
import getpass, sys
secret = getpass.getpass("Password: ")
print(len(secret)); print("careful", file=sys.stderr); sys.exit(3)
"""
    done = run(
        python(code),
        env=ENV,
        answers=[("Password: ", "hunter2")],
        stdin="",
        pipe_out=True,
        pipe_err=True,
    )
    assert (done.code, done.out, done.err) == (3, "7\n", "careful\n")
    assert "Password:" in done.screen
    assert "hunter2" not in done.screen


def test_what_is_typed_is_echoed_and_escape_sequences_are_left_out() -> None:
    code = r"print('\x1b[1;31m' + input('\x1b]0;title\x07Name: ') + '\x1b[0m' + '!')"
    done = run(python(code), env=ENV, answers=[("Name: ", "ann")])
    assert done.screen == "Name: ann\nann!\n"


def test_answers_go_to_prompts_in_their_order() -> None:
    code = "print([input('Code: ') for _ in range(2)])"
    done = run(python(code), env=ENV, answers=[("Code: ", "1"), ("Code: ", "2")])
    assert done.screen.endswith("['1', '2']\n")


def test_stdin_can_be_a_pipe_with_text() -> None:
    code = "import sys; print(sys.stdin.read().upper())"
    assert run(python(code), env=ENV, stdin="abc").screen == "ABC\n"


def test_control_c_interrupts() -> None:
    # Naps, as a signal just before a long wait begins would be seen after it alone.
    code = "import time; print('up')\nwhile True: time.sleep(0.05)"
    with Terminal(python(code), env=ENV) as terminal:
        terminal.expect("up")
        terminal.press(CTRL_C)
        done = terminal.finish()
    assert done.code == -signal.SIGINT
    assert "KeyboardInterrupt" in done.screen


def test_a_closed_window_hangs_up() -> None:
    with Terminal(python("print('up'); input()"), env=ENV) as terminal:
        terminal.expect("up")
        terminal.hang_up()
        assert terminal.finish().code == -signal.SIGHUP


def test_a_prompt_that_does_not_come_fails_with_the_screen() -> None:
    with pytest.raises(AssertionError, match=r"(?s)ended without 'Password'.*no such luck"):
        run(python("print('no such luck')"), env=ENV, answers=[("Password", "x")])
    with pytest.raises(AssertionError, match="did not appear"):
        run(python("input('Name: ')"), env=ENV, answers=[("Password", "x")], timeout=0.3)
