"""One browser for all tests; for each test a daemon, whose port makes an origin of its own."""

import pytest
from daemon import Daemon
from network import Network
from pages import Chat, Operator
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for word in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "lang=en-GB",
        "no-first-run", "hide-scrollbars", "window-size=1280,800", "disable-background-timer-throttling",
        "disable-renderer-backgrounding", "disable-backgrounding-occluded-windows",
        f"user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_script_timeout(20)
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def start(tmp_path):
    """Starts a daemon, with settings as flags."""
    daemons = []

    def start(*arguments, **options):
        daemon = Daemon(tmp_path / f"daemon-{len(daemons)}", *arguments, **options)
        daemons.append(daemon)
        return daemon

    yield start
    codes = [daemon.stop() for daemon in daemons]
    said = "\n".join(daemon.said() for daemon in daemons)
    assert all(code == 0 for code in codes), f"each daemon ends in order; they said:\n{said}"


@pytest.fixture
def network():
    """Puts a network in front of a daemon."""
    opened = []

    def open(daemon):
        opened.append(Network(daemon.port))
        return opened[-1]

    yield open
    for each in opened:
        each.close()


@pytest.fixture
def windows(driver):
    """Opens pages; behind the test, none of them has complained."""
    opened = []

    def open(kind, *arguments, **options):
        window = kind(driver, *arguments, **options)
        opened.append(window)
        return window

    yield open
    complaints = []
    for window in opened:
        if window.handle in driver.window_handles:
            complaints += window.complaints()
            window.close()
    assert not complaints, complaints


@pytest.fixture
def chat(windows):
    return lambda *arguments, **options: windows(Chat, *arguments, **options)


@pytest.fixture
def operator(windows):
    return lambda *arguments, **options: windows(Operator, *arguments, **options)
