"""The demo page in a real browser, as a visitor uses it."""

import os
import re
import shutil
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from demo_study import RATE, SYSTEMS, fabricate_demo_study
from mlkd_brain.demo.command import parser
from portable_signals import speechlike

pytest.importorskip("gradio", reason="the page needs Gradio")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright to drive a browser"
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, e.g. Debian's package chromium"
)
PATIENCE = 60_000  # ms, for a machine with much else to do


class Visitor:
    """A tab of the browser that has the page open."""

    def __init__(self, tab, address):
        self.tab, self.address, self.requests = tab, address, []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        self.wait_for_decisions()

    def wait_for_decisions(self):
        self.tab.locator("[data-system]").nth(len(SYSTEMS) - 1).wait_for()

    def percentages(self):
        return re.findall(
            r"[\d.]+ %", self.tab.locator("#decisions").inner_text()
        )

    def wait_for_other(self, percentages):
        """Wait until other percentages are shown; returns them."""
        self.wait_for_decisions()
        self.tab.wait_for_function(
            "(old) => { const now = document.querySelector('#decisions')"
            ".innerText.match(/[\\d.]+ %/g);"
            " return now && now.join() !== old; }",
            arg=",".join(percentages),
        )
        return self.percentages()

    def upload(self, path):
        self.tab.locator("#audio button[aria-label='Clear']").click()
        self.tab.locator("#audio input[type=file]").set_input_files(str(path))

    def slide(self, decibels):
        self.tab.locator("#snr input[type=range]").fill(str(decibels))


@pytest.fixture(scope="module")
def served(tmp_path_factory, tiny_wav2vec2):
    from mlkd_brain.demo.serving import serve

    results = fabricate_demo_study(tmp_path_factory.mktemp("d"), tiny_wav2vec2)
    temporary = tmp_path_factory.mktemp("temporary")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = parser().parse_args([str(results), "--port", str(port)])
    blocks = serve(options, temporary)
    yield blocks, temporary
    blocks.close(verbose=False)


@pytest.fixture(scope="module")
def visitor(served):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"] * (os.getuid() == 0),  # else root is refused
        )
        yield Visitor(browser.new_page(), served[0].local_url)
        browser.close()


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "mine.wav"
    soundfile.write(path, speechlike(rate=44100, seconds=2.0), 44100)
    return path


def test_a_sample_is_decided_at_once_and_another_noise_decides_anew(visitor):
    before = visitor.percentages()
    assert len(before) == len(SYSTEMS) * 4
    visitor.slide(-5)
    at_minus_5 = visitor.wait_for_other(before)
    visitor.slide(10)
    assert visitor.wait_for_other(at_minus_5) == before


def test_an_upload_takes_the_place_of_the_sample(visitor, recording, served):
    before = visitor.percentages()
    visitor.upload(recording)
    visitor.wait_for_other(before)
    assert visitor.tab.locator("#sample input").input_value() == ""
    assert visitor.tab.locator("#message").inner_text().strip() == ""
    kept = [path.name for path in served[1].rglob("mine.wav")]
    assert kept == ["mine.wav"]


def test_a_broken_file_gives_a_message_and_the_page_lives_on(
    visitor, recording, tmp_path
):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF, and then nothing")
    visitor.upload(broken)
    message = visitor.tab.locator("#message")
    message.get_by_text("broken.wav: cannot be read as audio").wait_for()
    assert visitor.percentages() == []
    visitor.upload(recording)
    visitor.wait_for_decisions()
    assert message.inner_text().strip() == ""


def test_a_file_that_is_too_large_is_refused(visitor, tmp_path):
    large = tmp_path / "large.wav"
    soundfile.write(large, np.zeros(26_300_000, np.int16), RATE)
    visitor.upload(large)
    visitor.tab.get_by_text("exceed the maximum allowed size").wait_for()
    visitor.tab.reload()
    visitor.wait_for_decisions()


def test_the_other_tabs_draw_and_nothing_comes_from_elsewhere(visitor):
    tab = visitor.tab
    for name, label in (("sweep", "Over SNR"), ("timeline", "Over time")):
        tab.get_by_role("tab", name=label).click()
        tab.locator(f"#{name}-button").click()
        tab.locator(f"#{name} img").wait_for()
    tab.get_by_role("tab", name="Study").click()
    tab.get_by_text("No report yet").wait_for()
    tab.get_by_role("tab", name="Listen").click()
    hosts = {urlsplit(url).hostname for url in visitor.requests}
    assert hosts - {None} == {"127.0.0.1"}
    assert len(visitor.requests) > 20
