"""What an operator does in the console, in the words of the page."""

from playwright.sync_api import Locator, Page, expect

from ..support.browser import Watched
from ..support.server import Server

KEY = "the console's own key"


class Seat:
    """One page of one server. What is looked for is waited for."""

    def __init__(self, watched: Watched, server: Server) -> None:
        self.watched = watched
        self.page: Page = watched.page
        self.server = server

    @property
    def detail(self) -> Locator:
        """The run that is open."""
        return self.page.locator("#detail")

    @property
    def receipt(self) -> Locator:
        """How it ended."""
        return self.detail.get_by_role("region", name="Receipt")

    @property
    def rows(self) -> Locator:
        """The rows that are in the page; of a long list, those that can be seen."""
        return self.page.locator("#grid .body [role=row]")

    def log_in(self, key: str = KEY) -> None:
        """Open the console and log in."""
        self.page.goto(f"{self.server.url}/")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.locator("#link")).to_have_text("live")

    def row(self, run_id: str) -> Locator:
        """The row of this run."""
        return self.page.locator(f'#grid [data-run="{run_id}"]')

    def open(self, run_id: str) -> None:
        """Open this run, wherever it is in the list."""
        self.row(run_id).click()
        expect(self.detail.locator("h2")).to_contain_text(run_id.removeprefix("run_")[:10])

    def show(self, view: str) -> None:
        """Which runs are listed: "Live", "Ended" or "All"."""
        which = self.page.get_by_role("group", name="Which runs")
        which.get_by_role("button", name=view).click()

    def start(self, agent: str, text: str) -> str:
        """Start a run as the page has it; its id. It is open then."""
        self.page.get_by_role("button", name="New run").click()
        dialog = self.page.get_by_role("dialog", name="New run")
        dialog.get_by_label("Agent").select_option(agent)
        dialog.get_by_label("Input").fill(text)
        dialog.get_by_role("button", name="Start").click()
        expect(dialog).to_have_count(0)
        expect(self.detail.locator("h2")).to_contain_text(agent)
        return str(self.page.evaluate("location.hash.slice(1)"))

    def tab(self, name: str) -> None:
        """Look at another side of the run."""
        self.detail.get_by_role("tab", name=name).click()

    def saved(self, link: Locator) -> tuple[str, bytes]:
        """What this link has the browser save: the name it proposes, and what is in it."""
        with self.page.expect_download() as download:
            link.click()
        return download.value.suggested_filename, download.value.path().read_bytes()

    def press(self, button: str) -> None:
        """A button of the run."""
        self.detail.get_by_role("button", name=button, exact=True).click()
