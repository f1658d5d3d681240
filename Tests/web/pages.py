"""What a person sees and does on the pages, so that tests read as what they test."""

import urllib.parse

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# How long to wait for what must come, on a machine that has other things to do, too.
SECONDS = 60

MESSAGES = """
return [...document.querySelectorAll("#messages li[data-state]")].map((item) => ({
  text: item.querySelector(".text").textContent,
  isMine: item.classList.contains("mine"),
  state: item.dataset.state,
  sequence: Number(item.dataset.sequence),
  words: item.querySelector(".word").textContent,
}));
"""
EVENTS = """
return [...document.querySelectorAll("#events li")].reverse().map((item) =>
  [item.dataset.kind, item.querySelector(".about").textContent]);
"""
# What a console says when a server is away, which is no fault of a page.
EXPECTED = (
    "ERR_CONNECTION", "ERR_INTERNET_DISCONNECTED", "ERR_EMPTY_RESPONSE", "ERR_SOCKET",
    "Error during WebSocket handshake", "400 (Bad Request)", "401 (Unauthorized)",
)


class Window:
    """One window of the browser."""

    def __init__(self, driver):
        self.driver = driver
        driver.switch_to.new_window("window")
        self.handle = driver.current_window_handle

    def use(self):
        if self.driver.current_window_handle != self.handle:
            self.driver.switch_to.window(self.handle)
        return self.driver

    def run(self, script, *arguments):
        return self.use().execute_script(script, *arguments)

    def find(self, selector):
        return self.use().find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """What an element says; an element that is hidden says nothing."""
        return self.find(selector).text

    def content(self, selector):
        """What an element holds, hidden or not."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def until(self, answer, what):
        """Waits until `answer()` is true, and answers it."""
        seen = []

        def look(_):
            seen[:] = [answer()]
            return seen[0]

        try:
            return WebDriverWait(self.use(), SECONDS, poll_frequency=0.05).until(look)
        except TimeoutException:
            raise AssertionError(f"{what}, within {SECONDS} s; the page:\n{self.state()}") from None

    def equals(self, answer, expected, what):
        """Waits until `answer()` is what is expected."""
        last = []

        def look():
            last[:] = [answer()]
            return last[0] == expected

        try:
            self.until(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\nexpected {expected!r}\ngot      {last[0]!r}") from None

    def state(self):
        return self.run("return document.body.innerText")

    def emulate(self, **conditions):
        self.use().execute_cdp_cmd("Network.enable", {})
        self.use().execute_cdp_cmd("Network.emulateNetworkConditions", conditions)

    def offline(self):
        self.emulate(offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def online(self):
        self.emulate(offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    def size(self, width, height, dark=False):
        """The size and the colours of what is shown."""
        driver = self.use()
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        })
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        ]})

    def complaints(self):
        """What the console says that it should not: faults of scripts, refused sources."""
        return [
            entry["message"] for entry in self.use().get_log("browser")
            if entry["level"] == "SEVERE"
            and not any(word in entry["message"] for word in EXPECTED)
        ]

    def close(self):
        self.use().close()
        self.driver.switch_to.window(self.driver.window_handles[0])


class Chat(Window):
    """The chat page of one account."""

    def __init__(self, driver, daemon, name=None, to=None, token=None):
        """`daemon`: what has an address: the daemon itself, or a network in front of it."""
        super().__init__(driver)
        self.address = daemon.address
        self.to = to
        words = {"name": name, "to": to, "token": token}
        link = urllib.parse.urlencode({key: word for key, word in words.items() if word})
        driver.get(self.address + (f"#{link}" if link else ""))

    def connected(self):
        self.until(lambda: self.connection() == "on", "the page connects")
        return self

    def connection(self):
        return self.run("return document.getElementById('state').dataset.state")

    def say(self, *texts):
        for text in texts:
            field = self.find("#text")
            field.send_keys(text, Keys.ENTER)

    def paste(self, text):
        """Writes what no keyboard types quickly, and sends it."""
        self.run("document.getElementById('text').value = arguments[0]", text)
        self.find("#text").send_keys(Keys.ENTER)

    def burst(self, *texts):
        """Writes many at once, faster than anybody types."""
        self.run(
            "for (const text of arguments) {"
            "  document.getElementById('text').value = text;"
            "  document.getElementById('compose').requestSubmit();"
            "}", *texts)

    def choose(self, peer):
        self.until(
            lambda: self.run(
                "const button = [...document.querySelectorAll('#peers button')]"
                ".find((each) => each.dataset.peer === arguments[0]);"
                "button?.click(); return Boolean(button);", peer),
            f"{peer} is in the list")

    def messages(self):
        return self.run(MESSAGES)

    def texts(self, is_mine=None):
        return [
            message["text"] for message in self.messages()
            if is_mine is None or message["isMine"] == is_mine
        ]

    def states(self, is_mine=True):
        return [
            message["state"] for message in self.messages() if message["isMine"] == is_mine
        ]

    def shows(self, texts, is_mine=None):
        """Waits until these are the texts, in this order, each once."""
        self.equals(lambda: self.texts(is_mine), list(texts), "the messages are there")

    def settles(self, state, count, is_mine=True):
        """Waits until there are so many messages, and all are in one state."""
        self.equals(
            lambda: self.states(is_mine), [state] * count, f"{count} messages are {state}")

    def settles_as(self, states, is_mine=True):
        """Waits until the messages are in these states, in this order."""
        self.equals(lambda: self.states(is_mine), list(states), "the messages are in these states")

    def number(self, name):
        """One of the numbers of the conversation: sent-ack, got-cursor …"""
        return int(self.run(f"return document.getElementById('{name}').textContent"))

    def events(self, kind=None):
        """The frames on the wire, oldest first: their kind, and what is said of them."""
        return [
            tuple(event) for event in self.run(EVENTS) if kind is None or event[0] == kind
        ]

    def outbox(self):
        return int(self.run("return document.getElementById('fact-outbox').textContent"))


class Operator(Window):
    """The operator's page."""

    def __init__(self, driver, daemon):
        super().__init__(driver)
        driver.get(daemon.operator)
