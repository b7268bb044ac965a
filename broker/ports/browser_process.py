"""The process that holds a browser: `python -m broker.ports.browser_process`.

Takes one job, a line of JSON, on stdin and answers with one on stdout. It ends its browser as soon
as stdin ends, so none outlives whoever asked. The browser keeps cookies in memory alone; what else
it writes lies in a private folder, which goes when the browser does, or at the next start where
this process was killed. Owns Playwright and that folder; what is asked, and why, is `browser`'s.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from broker.owned_tempdir import owned_tempdir

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Request

STILL = 3.0
"""Seconds without a request, after which a loaded page waits for a person."""
CONNECT = 10.0
"""Seconds for the first page to answer."""
LAUNCH = 18.0
"""Seconds for the browser to start."""
CLOSE = 5.0
"""Seconds for the browser to give its state, and again to end by itself."""

_NO_DISPLAY = ("XServer", "X server", "Wayland display")
"""What Playwright and browsers say where DISPLAY leads nowhere."""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Signed in</title><link rel="icon" href="data:,">
<style>:root{color-scheme:light dark;font:1.1rem/1.5 system-ui,sans-serif}
body{margin:15vh 2rem;text-align:center}</style>
<h1>Signed in</h1><p>The terminal goes on. This window closes by itself.
"""

Outcome = dict[str, Any]


def among(sites: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    """Tells whether an address is at or below one of the sites, whatever its query."""
    starts = "|".join(re.escape(site).replace(r"\*", "[a-z0-9-]+") for site in sites)
    return re.compile(rf"(?:{starts})(?:[/?].*)?", re.DOTALL).fullmatch


class Catch:
    """Waits at a few addresses for the form that is to be posted there, and lets nothing leave.

    Requests are paused in the browser as a whole, before they are sent: in every window and frame,
    and where a redirect repeats a POST.

    Args:
        sites: Starts of addresses; `*` stands for one label of a host name.
        field: The form's field that is wanted.
        end: Gets the outcome.
    """

    def __init__(self, sites: Sequence[str], field: str, end: asyncio.Future[Outcome]) -> None:
        self._sites = sites
        self._field = field
        self._end = end
        self._is_site = among(sites)

    async def watch(self, browser: Browser) -> None:
        """Pause requests to the sites from now on. Source: Chrome DevTools Protocol, Fetch."""
        self._devtools = await browser.new_browser_cdp_session()
        self._devtools.on("Fetch.requestPaused", self._paused)
        patterns = [{"urlPattern": f"{site}*"} for site in self._sites]
        await self._devtools.send("Fetch.enable", {"patterns": patterns})

    async def _paused(self, event: dict[str, Any]) -> None:
        request = event["request"]
        posted = parse_qs(request.get("postData", "")) if request["method"] == "POST" else {}
        value = posted.get(self._field)
        caught = value and self._is_site(request["url"])
        answer = {"requestId": event["requestId"]}
        if caught:
            answer |= {
                "responseCode": 200,
                "responseHeaders": [{"name": "Content-Type", "value": "text/html"}],
                "body": base64.b64encode(_PAGE.encode()).decode(),
            }
        from playwright.async_api import Error

        with contextlib.suppress(Error):  # the page may have gone on meanwhile
            await self._devtools.send(
                "Fetch.fulfillRequest" if caught else "Fetch.continueRequest", answer
            )
        if caught and value:
            _settle(self._end, {"outcome": "caught", "value": value[0]})


class Stillness:
    """Tells when a page has loaded and asks for nothing more: then it waits for a person."""

    def __init__(self, page: Page, end: asyncio.Future[Outcome]) -> None:
        self._page = page
        self._end = end
        self._pending: set[Request] = set()
        self._loaded = False
        self._timer: asyncio.TimerHandle | None = None
        page.context.on("request", self._asked)
        page.context.on("requestfinished", self._answered)
        page.context.on("requestfailed", self._answered)
        page.on("request", self._navigated)
        page.on("load", self._has_loaded)

    def _asked(self, request: Request) -> None:
        self._pending.add(request)
        self._moved()

    def _navigated(self, request: Request) -> None:
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self._loaded = False
        self._moved()

    def _answered(self, request: Request) -> None:
        self._pending.discard(request)
        self._moved()

    def _has_loaded(self, _: Page) -> None:
        self._loaded = True
        self._moved()

    def _moved(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._loaded and not self._pending:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(STILL, _settle, self._end, {"outcome": "person"})


async def sign_in(job: dict[str, Any], environ: dict[str, str]) -> Outcome:
    """Open the browser at the job's address and wait for what becomes of it.

    Args:
        job: `executable`, `url`, `sites`, `field`, `state`, `window`, `patience`, `proxy`.
        environ: The browser's environment.
    """
    from playwright.async_api import Error, async_playwright

    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(
                executable_path=job["executable"],
                headless=not job["window"],
                chromium_sandbox=True,
                proxy=job["proxy"],
                env={**environ},
                timeout=LAUNCH * 1000,
            )
        except Error as error:
            lacks_display = any(text in error.message for text in _NO_DISPLAY)
            outcome = "undisplayed" if lacks_display else "unstarted"
            return {"outcome": outcome, "why": _complaint(error)}
        try:
            return await _signed_in(job, browser)
        finally:
            with contextlib.suppress(Error, TimeoutError):
                await asyncio.wait_for(browser.close(), CLOSE)


async def _signed_in(job: dict[str, Any], browser: Browser) -> Outcome:
    from playwright.async_api import Error

    end: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    # Without a window nobody can have closed it.
    gone = {"outcome": "closed" if job["window"] else "crashed"}
    browser.on("disconnected", lambda _: _settle(end, gone))
    catch = Catch(job["sites"], job["field"], end)
    await catch.watch(browser)
    context = await _context(job, browser)
    page = await context.new_page()
    _tell_when_closed(context, end, gone)
    if job["window"]:
        context.on("dialog", lambda _: None)  # a person answers it
    else:
        Stillness(page, end)
    try:
        try:
            reply = await page.goto(job["url"], wait_until="commit", timeout=CONNECT * 1000)
            if reply and (reply.status == 429 or reply.status >= 500):
                return {"outcome": "unreachable", "why": f"status {reply.status}"}
        except Error as error:
            if not (end.done() or page.is_closed() or "ERR_ABORTED" in error.message):
                return {"outcome": "unreachable", "why": _first_line(error)}
        outcome = await asyncio.wait_for(asyncio.shield(end), job["patience"])
    except TimeoutError:
        return {"outcome": "late" if job["window"] else "person"}
    if outcome["outcome"] == "caught":
        with contextlib.suppress(Error, TimeoutError):
            outcome["state"] = await asyncio.wait_for(context.storage_state(), CLOSE)
    return outcome


async def _context(job: dict[str, Any], browser: Browser) -> BrowserContext:
    """A private window, with the cookies of an earlier one.

    Without a window the browser calls itself by another name; providers that tie a sign-in to the
    browser's name would ask the person again, so it keeps the name that the window had.
    """
    devtools = await browser.new_browser_cdp_session()
    name = (await devtools.send("Browser.getVersion"))["userAgent"].replace("Headless", "")
    return await browser.new_context(
        storage_state=job["state"],
        accept_downloads=False,
        **({"no_viewport": True} if job["window"] else {"user_agent": name}),
    )


def _tell_when_closed(context: BrowserContext, end: asyncio.Future[Outcome], gone: Outcome) -> None:
    """The person gave up once the last window is closed."""

    def closed(_: Page) -> None:
        if not context.pages:
            _settle(end, gone)

    def watch(page: Page) -> None:
        page.on("close", closed)
        page.on("crash", lambda _: _settle(end, {"outcome": "crashed"}))

    for page in context.pages:
        watch(page)
    context.on("page", watch)


def _settle(end: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not end.done():
        end.set_result(outcome)


def _complaint(error: Exception) -> str:
    """Why a browser did not start: what it said itself, else what Playwright says."""
    text = str(error)
    lines = [re.search(rf"\[err\].*:{level}:\S+ (.+)", text) for level in ("FATAL", "ERROR")]
    return next((line[1] for line in lines if line), _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


async def _until_caller_ends(job: dict[str, Any], environ: dict[str, str]) -> Outcome | None:
    """The outcome; None when the caller went away, or no longer wants it."""
    work = asyncio.create_task(sign_in(job, environ))
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        with contextlib.suppress(RuntimeError):  # the work is done
            loop.call_soon_threadsafe(work.cancel)

    threading.Thread(target=wait_for_end, daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        return await work
    return None


def _job() -> dict[str, Any]:
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(sys.stdin.fileno(), 65536)
        if not chunk:
            break
        line += chunk
    job: dict[str, Any] = json.loads(line)
    return job


def main() -> None:
    """One job."""
    job = _job()
    with owned_tempdir(Path(job["folder"])) as folder:
        # Dumps of a crash hold cookies.
        environ = {**os.environ, "BREAKPAD_DUMP_LOCATION": str(folder)}
        # Playwright puts the browser's profile there.
        os.environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        try:
            outcome = asyncio.run(_until_caller_ends(job, environ))
        except Exception as error:  # noqa: BLE001 - the caller names it
            outcome = {"outcome": "failed", "why": f"{type(error).__name__}: {_first_line(error)}"}
    if outcome:
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
