"""The operator's page in a browser, with a daemon behind it."""

import json
import urllib.error
import urllib.request

from selenium.webdriver.common.keys import Keys

TOKEN = "an operator's token".replace(" ", "-").replace("'", "")

ROWS = """
return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map((row) =>
  [...row.children].map((cell) => cell.textContent));
"""

LINES = """
return [...document.querySelectorAll(".line")].map((line) => line.getAttribute("d") ?? "");
"""


def figure(page, name, part=".value"):
    return page.content(f"[data-figure={name}] {part}")


def look(page, receiver):
    page.find("#receiver").clear()
    page.find("#receiver").send_keys(receiver, Keys.ENTER)


def rows(page, table):
    return page.run(ROWS, table)


def exchange(daemon, chat, senders=("anna",), count=3):
    """Messages to Bert, who is there for the first sender's alone."""
    bert = chat(daemon, "bert", to="anna").connected()
    for place, sender in enumerate(senders):
        if place == 1:
            bert.find("#switch").click()
            bert.equals(bert.connection, "off", "Bert is away")
        page = chat(daemon, sender, to="bert").connected()
        page.burst(*(f"{number} of {sender}" for number in range(1, count + 1)))
        page.settles("accepted", count)
        if place == 0:
            bert.settles("acknowledged", count, is_mine=False)
    return bert


def answer(daemon, path, token=None, host=None):
    """The status and the JSON of an answer, asked for without a browser."""
    request = urllib.request.Request(f"{daemon.operator}/{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "{}")


def test_figures(start, chat, operator):
    """Rates, latencies, group sizes, connections and sizes are live."""
    daemon = start()
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "live", "the figures are live")
    page.until(lambda: figure(page, "appends").startswith("0"), "nothing is going on")
    assert figure(page, "ack") == "–"
    bert = exchange(daemon, chat)
    page.until(
        lambda: figure(page, "appends", ".detail").startswith("3 messages"), "three were stored")
    page.until(lambda: "p99" in figure(page, "ack"), "there are times of ACKs")
    for name in ("sync", "fetch"):
        page.until(lambda: "p99" in figure(page, name), f"there are times of {name}")
    page.until(lambda: figure(page, "groups", ".detail") != "0 groups in a minute", "groups")
    assert figure(page, "pushes", ".detail").startswith("3 ")
    assert figure(page, "connections", ".detail") == "2 devices welcomed"
    for name in ("journal", "tail", "data", "memory"):
        assert figure(page, name).split()[1] in ("B", "KiB", "MiB", "GiB"), name
    # A line needs two looks with a value, and times are there from the first message on alone.
    page.until(lambda: [path for path in page.run(LINES) if "L" not in path] == [], "lines grow")
    assert len(page.run(LINES)) == 14
    # What is going on now, as a rate.
    bert.burst(*(f"{number}" for number in range(40)))
    page.until(lambda: float(figure(page, "appends").split()[0]) > 0, "appends are counted")


def test_the_daemon_ends(start, operator):
    """A daemon that is gone is told as gone."""
    daemon = start()
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "live", "the figures are live")
    daemon.stop()
    page.until(lambda: "does not answer" in page.text("#state"), "it says that it is gone")


def test_inbox(start, chat, operator):
    """Who wrote, what is acknowledged, what waits: without texts, and without acknowledging."""
    daemon = start()
    exchange(daemon, chat, ("anna", "carla"))
    page = operator(daemon)
    page.until(lambda: "name a receiver" in page.text("#inbox-empty"), "nobody is named")
    look(page, "bert")
    page.until(lambda: len(rows(page, "mailboxes")) == 2, "two wrote")
    assert [row[:4] for row in rows(page, "mailboxes")] == [
        ["anna", "3", "3", "0"], ["carla", "3", "0", "3"]
    ]
    page.run("document.querySelector('[data-sender=carla] button').click()")
    page.until(lambda: len(rows(page, "messages")) == 3, "three messages are there")
    assert [(row[0], row[3], row[4], row[5]) for row in rows(page, "messages")] == [
        (str(number), str(number), "10", "not shown") for number in (1, 2, 3)
    ]
    assert "of carla" not in page.run("return document.documentElement.outerHTML")
    look(page, "nobody")
    page.until(lambda: "Nobody wrote to nobody" in page.text("#inbox-empty"), "there is none")
    look(page, "ü" * 40)
    page.until(lambda: page.text("#inbox-error"), "the name is none")
    look(page, "bert")
    page.until(lambda: len(rows(page, "mailboxes")) == 2, "two wrote, still")
    assert rows(page, "mailboxes")[1][:4] == ["carla", "3", "0", "3"]


def test_pages(start, chat, operator):
    """Long lists come a page at a time."""
    daemon = start()
    # Bert is never there: what is acknowledged may be gone.
    anna = chat(daemon, "anna", to="bert").connected()
    anna.burst(*(f"{number}" for number in range(1, 26)))
    anna.settles("accepted", 25)
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "live", "the page is there")
    look(page, "bert")
    page.until(lambda: rows(page, "mailboxes"), "Anna wrote")
    assert not page.find("#mailboxes-pager").is_displayed()
    page.run("document.querySelector('[data-sender=anna] button').click()")
    numbers = lambda: [row[0] for row in rows(page, "messages")]
    page.equals(numbers, [str(number) for number in range(1, 21)], "the first page")
    page.find("#messages-pager [data-go=next]").click()
    page.equals(numbers, [str(number) for number in range(21, 26)], "the second page")
    assert not page.find("#messages-pager [data-go=next]").is_enabled()
    page.find("#messages-pager [data-go=first]").click()
    page.equals(numbers, [str(number) for number in range(1, 21)], "the first page again")


def test_bodies(start, chat, operator):
    """Texts are shown when the operator allowed it, and are text."""
    daemon = start("--operator-bodies", "true")
    markup = "<b>bold</b><script>document.title='owned'</script>"
    anna = chat(daemon, "anna", to="bert").connected()
    anna.say(markup)
    anna.settles("accepted", 1)
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "live", "the page is there")
    look(page, "bert")
    page.until(lambda: rows(page, "mailboxes"), "Anna wrote")
    page.run("document.querySelector('[data-sender=anna] button').click()")
    page.until(lambda: rows(page, "messages"), "the message is there")
    assert rows(page, "messages")[0][5] == markup
    assert page.run("return document.querySelectorAll('td b, td script').length") == 0


def test_token(start, tmp_path, operator):
    """With a token: the page asks for it, and nothing is told without."""
    path = tmp_path / "operator-token"
    path.write_text(TOKEN + "\n")
    daemon = start("--operator-token", path, demo=False)
    for token in (None, "another-token-of-the-same-sort"):
        assert answer(daemon, "inbox?receiver=bert", token)[0] == 401
    assert answer(daemon, "inbox?receiver=bert", TOKEN) == (
        200, {"receiver": "bert", "mailboxes": []})
    assert answer(daemon, "inbox", TOKEN)[0] == 400
    assert answer(daemon, "inbox?receiver=bert&limit=0", TOKEN)[0] == 400
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "not signed in", "the page asks")
    page.find("#token").send_keys("wrong", Keys.ENTER)
    page.until(lambda: "not the token" in page.text("#sign-in-error"), "it is wrong")
    page.find("#token").send_keys(TOKEN, Keys.ENTER)
    page.until(lambda: page.text("#state") == "live", "it is right")
    assert TOKEN not in page.run("return document.documentElement.outerHTML")
    look(page, "bert")
    page.until(lambda: "Nobody wrote" in page.text("#inbox-empty"), "the inbox is empty")


def test_not_served(start):
    """Without a token of its own, and not in a first look, there is no operator's page."""
    daemon = start(demo=False)
    for path in ("", "/about", "/inbox?receiver=bert", "/page.js"):
        try:
            urllib.request.urlopen(daemon.operator + path, timeout=10)
            raise AssertionError(f"{path} is served")
        except urllib.error.HTTPError as error:
            assert error.code == 404, path


def test_names_elsewhere(start):
    """A name elsewhere that was made to point here is not answered."""
    daemon = start()
    assert answer(daemon, "about")[0] == 200
    assert answer(daemon, "about", host="localhost:1")[0] == 200
    for host in ("evil.example", "127.evil.example", "127.0.0.1.evil.example:80"):
        assert answer(daemon, "about", host=host)[0] == 401, host


def test_every_width(start, chat, operator):
    """Nothing is cut off at the side; tables that are wider scroll by themselves."""
    daemon = start()
    exchange(daemon, chat, count=1)
    page = operator(daemon)
    page.until(lambda: page.text("#state") == "live", "the page is there")
    look(page, "bert")
    page.until(lambda: rows(page, "mailboxes"), "Anna wrote")
    for width in (320, 390, 700, 1_000, 1_400):
        page.size(width, 900)
        assert page.run("return document.documentElement.scrollWidth") <= width
