"""Real Chromium for the tests of the explorer's page; without it, or without playwright, they are skipped.

`make test-browser` installs both. Pages are opened from disk. Everything a page asks of the outside and everything it
complains of is noted, and a test that opened it fails if there was anything.
"""

import os

import chromium
import pytest
from explorer_page import Explorer

SIZE = {"width": 1280, "height": 800}
# Colours as written, and every pixel drawn anew, so that what looks the same is the same.
ARGUMENTS = [
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--disable-gpu",
    "--disable-lcd-text",
    "--disable-partial-raster",
    "--disable-checker-imaging",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def browser():
    """Chromium, started once; without its sandbox where root runs, whom that refuses."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; `make test-browser` installs it")
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium; `make test-browser` installs it")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        program = driver.chromium.launch(executable_path=path, args=ARGUMENTS + root)
        yield program
        program.close()


class Watched:
    """Opens pages, and notes what they do that they should not."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.complaints = []

    def open(self, path, fragment="", **options):
        """A page from disk in a context of its own; `options` are those of playwright's `new_context`."""
        context = self._browser.new_context(**{"viewport": SIZE, **options})
        self._contexts.append(context)
        address = path.as_uri()
        context.route("**/*", lambda route: self._route(route, address))
        page = context.new_page()
        page.set_default_timeout(60_000)  # for busy machines; nothing waits that long
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("dialog", self._dialog)
        page.on("websocket", lambda socket: self.complaints.append(f"websocket: {socket.url}"))
        page.goto(address + fragment)
        return page

    def _route(self, route, address):
        if route.request.url.partition("#")[0] == address and route.request.is_navigation_request():
            route.continue_()
        else:
            self.complaints.append(f"request: {route.request.url}")
            route.abort()

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self):
        """Close every page."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def watched(browser):
    """A `Watched` whose pages may do wrong."""
    visitor = Watched(browser)
    yield visitor
    visitor.close()


@pytest.fixture
def visit(watched):
    """`visit(path, fragment="", **options)` opens a page that may do nothing wrong until the end of the test."""
    yield watched.open
    assert watched.complaints == []


@pytest.fixture(scope="session")
def pages(browser, tmp_path_factory):
    """`pages(program)` records a program of `programs` once and writes its page: (path, what the program told)."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}

    def page_of(program):
        if program not in made:
            path = folder / f"{program.__name__}.html"
            facts = program()
            facts.recording.save(path)
            made[program] = path, facts
        return made[program]

    return page_of


@pytest.fixture
def explore(pages, visit):
    """`explore(program, fragment="", **options)` opens the explorer of a recorded program: an `Explorer`."""

    def open_explorer(program, fragment="", **options):
        path, facts = pages(program)
        return Explorer(visit(path, fragment, **options), path, facts)

    return open_explorer
