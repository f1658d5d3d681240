"""The chat page in a browser, with a daemon behind it."""

import urllib.request

import pytest
from daemon import token
from selenium.webdriver.common.keys import Keys

# What must never be more than text.
MARKUP = (
    "<img src=x onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script><b>bold</b> & \"quotes\""
)


@pytest.fixture
def pair(start, chat):
    """Anna and Bert, connected, each with the other's conversation open."""

    def open(*arguments):
        daemon = start(*arguments)
        anna = chat(daemon, "anna", to="bert")
        bert = chat(daemon, "bert", to="anna")
        return daemon, anna.connected(), bert.connected()

    return open


def test_conversation(pair):
    """Sequence, ACK, push, cursor and acknowledgement are shown as they happen."""
    _, anna, bert = pair()
    anna.say("Good morning", "Is the tea ready?", "Hello?")
    bert.shows(["Good morning", "Is the tea ready?", "Hello?"])
    bert.say("It is.")
    anna.shows(["Good morning", "Is the tea ready?", "Hello?", "It is."])
    anna.settles("accepted", 3)
    bert.settles("acknowledged", 3, is_mine=False)
    assert [message["words"] for message in anna.messages()][:3] == [
        f"ACK · sequence {number}" for number in (1, 2, 3)
    ]
    assert [message["words"] for message in bert.messages()][:3] == [
        f"sequence {number} · pushed · acknowledged" for number in (1, 2, 3)
    ]
    anna.equals(lambda: anna.number("got-acknowledged"), 1, "the answer is acknowledged")
    names = ("sent-number", "sent-waiting", "sent-ack", "got-sequence", "got-cursor")
    assert [anna.number(name) for name in names] == [3, 0, 3, 1, 1]
    assert [bert.number(name) for name in names] == [1, 0, 1, 3, 3]
    assert [about for _, about in anna.events("send")] == [
        f"to bert, number {number}" for number in (1, 2, 3)
    ]
    assert [about for _, about in anna.events("accepted")] == [
        f"ACK: sequence {number}" for number in (1, 2, 3)
    ]
    assert [about for _, about in bert.events("pushed")] == [
        f"from anna, sequence {number}" for number in (1, 2, 3)
    ]
    assert bert.events("acknowledge")[-1] == ("acknowledge", "anna, cursor 3")
    assert bert.events("acknowledged")[-1] == ("acknowledged", "anna through 3")


def test_kill_and_restart(pair):
    """The server is killed again and again, with messages under way: none is lost or doubled."""
    daemon, anna, bert = pair()
    said = {"anna": [], "bert": []}

    def say(page, name, *texts):
        said[name] += texts
        page.burst(*texts)

    for round in range(3):
        say(anna, "anna", *(f"a{round}.{number}" for number in range(4)))
        daemon.kill()
        # Some of these were under way; these cannot be.
        say(anna, "anna", f"a{round} while it is away")
        say(bert, "bert", f"b{round} while it is away")
        anna.until(lambda: "waiting" in anna.states(), "what is written now waits")
        daemon.start()
        say(bert, "bert", f"b{round} afterwards")
        anna.settles("accepted", len(said["anna"]))
        bert.settles("accepted", len(said["bert"]))
    anna.shows(said["bert"], is_mine=False)
    bert.shows(said["anna"], is_mine=False)
    bert.settles("acknowledged", len(said["anna"]), is_mine=False)
    received = [message["sequence"] for message in bert.messages() if not message["isMine"]]
    assert received == list(range(1, len(said["anna"]) + 1))
    anna.equals(anna.outbox, 0, "the outbox is empty")


def test_orderly_restart(pair):
    """Devices hear when to come back, and do."""
    daemon, anna, bert = pair()
    anna.say("before")
    bert.shows(["before"])
    assert daemon.stop() == 0
    anna.until(
        lambda: "the server restarts" in dict(anna.events()).get("state", "")
        or ("goodbye", "SHUTDOWN") in anna.events(),
        "the server said goodbye")
    daemon.start()
    anna.connected().say("behind")
    bert.shows(["before", "behind"])


def test_reload(pair):
    """Messages, numbers, outbox and cursors outlive the page, and it opens without a server."""
    daemon, anna, bert = pair()
    anna.say("one", "two")
    bert.shows(["one", "two"])
    bert.say("three")
    anna.shows(["one", "two", "three"])
    bert.settles("acknowledged", 2, is_mine=False)
    bert.use().refresh()
    bert.connected().shows(["one", "two", "three"])
    bert.until(lambda: bert.events("inbox"), "the page syncs")
    assert bert.events("inbox")[0] == ("inbox", "0 messages")
    assert ("sync", "anna: cursor 2") in bert.events("sync")
    bert.equals(
        lambda: (bert.number("got-cursor"), bert.number("got-acknowledged")), (2, 2),
        "the cursors are there")
    # Without a server: the page comes from its worker, what it holds from its database.
    anna.until(
        lambda: anna.run("return Boolean(navigator.serviceWorker.controller)"), "the worker runs")
    daemon.kill()
    anna.say("four")
    # What is shown is saved.
    anna.shows(["one", "two", "three", "four"])
    anna.use().refresh()
    anna.shows(["one", "two", "three", "four"])
    anna.say("five")
    anna.shows(["one", "two", "three", "four", "five"])
    anna.settles_as(["accepted", "accepted", "waiting", "waiting"])
    anna.use().refresh()
    anna.equals(anna.outbox, 2, "two messages wait")
    daemon.start()
    anna.settles("accepted", 4)
    bert.shows(["one", "two", "three", "four", "five"])


def test_no_network(start, network, chat):
    """A network that brings nothing any more is noticed; what is written meanwhile is saved, and
    both sides catch up."""
    daemon = start()
    between = network(daemon)
    anna = chat(between, "anna", to="bert").connected()
    bert = chat(daemon, "bert", to="anna").connected()
    anna.say("with")
    bert.shows(["with"])
    between.cut()
    # The browser knows that something is wrong; the connection itself is silent.
    anna.offline()
    anna.say("without")
    anna.settles_as(["accepted", "sent"])
    bert.say("meanwhile", "and more")
    bert.settles("accepted", 2)
    anna.until(lambda: anna.connection() == "waiting", "the page sees that nothing comes")
    anna.settles_as(["accepted", "waiting"])
    assert bert.texts() == ["with", "meanwhile", "and more"]
    between.mend()
    anna.online()
    anna.connected().settles("accepted", 2)
    anna.shows(["meanwhile", "and more"], is_mine=False)
    bert.shows(["with", "without"], is_mine=False)
    anna.settles("acknowledged", 2, is_mine=False)
    words = [message["words"] for message in anna.messages() if not message["isMine"]]
    assert words == [f"sequence {number} · fetched · acknowledged" for number in (1, 2)]


def test_disconnected_by_hand(pair):
    """Who disconnects writes into the outbox, until they connect."""
    _, anna, bert = pair()
    anna.find("#switch").click()
    anna.equals(anna.connection, "off", "the page is disconnected")
    anna.say("later")
    anna.settles("waiting", 1)
    anna.equals(anna.outbox, 1, "it is in the outbox")
    anna.find("#switch").click()
    anna.connected().settles("accepted", 1)
    bert.shows(["later"])


def test_markup_is_text(start, chat):
    """Messages and names are text, whatever stands in them."""
    daemon = start()
    name = "<i onclick=alert(1)>eve</i>"
    bert = chat(daemon, "bert").connected()
    eve = chat(daemon, name, to="bert").connected()
    eve.say(MARKUP)
    bert.shows([MARKUP])
    assert bert.text("#peer-name") == name
    assert bert.run("return document.title") == "bert – Mailbox"
    for page in (bert, eve):
        assert page.run(
            "return document.querySelectorAll('#chat img, #chat script, #chat b, #chat i').length"
        ) == 0
        page.until(
            lambda: MARKUP[:40] in page.content("#peers .last"), "the list has it, too")


def test_two_tabs(pair, chat):
    """Two tabs of an account are one device: both show everything, and write; one takes over."""
    daemon, anna, bert = pair()
    anna.say("first tab")
    bert.shows(["first tab"])
    second = chat(daemon, "anna", to="bert").connected()
    second.shows(["first tab"])
    second.until(lambda: "another" in second.content("#fact-tab"), "the first tab is connected")
    second.say("second tab")
    bert.say("for both")
    expected = ["first tab", "second tab", "for both"]
    for page in (anna, second, bert):
        page.equals(lambda: sorted(page.texts()), sorted(expected), "all tabs show it")
    second.settles("accepted", 2)
    anna.settles("accepted", 2)
    assert anna.content("#fact-device") == second.content("#fact-device")
    anna.close()
    second.until(lambda: "this one" in second.content("#fact-tab"), "the second tab takes over")
    second.connected().say("alone")
    second.settles("accepted", 3)
    bert.shows(["first tab", "second tab", "alone"], is_mine=False)
    bert.say("still there?")
    second.shows(["for both", "still there?"], is_mine=False)


def test_tokens(start, chat):
    """A token that is none, wrong or expired is told as what it is; a good one sends what waits."""
    daemon = start(demo=False)
    page = chat(daemon)
    page.find("#token").send_keys("nonsense", Keys.ENTER)
    page.until(lambda: "This is no token" in page.text("#sign-in-error"), "it is none")
    page.find("#token").clear()
    page.find("#token").send_keys(token("anna", expires_in=-60), Keys.ENTER)
    page.until(
        lambda: "does not accept the token" in page.text("#renewal-reason"), "it is expired")
    assert "expired" in page.text("#renewal-reason")
    assert page.connection() in ("off", "ended")
    page.find("#new-token").send_keys(token("anna", secret=b"x" * 40), Keys.ENTER)
    page.until(lambda: "signature" in page.text("#renewal-reason"), "it is another's")
    page.find("#new-token").send_keys(token("bert"), Keys.ENTER)
    page.until(lambda: "bert's, not anna's" in page.text("#renewal-reason"), "it is Bert's")
    page.find("#new-token").clear()
    page.find("#new-token").send_keys(token("anna"), Keys.ENTER)
    page.connected()
    page.until(lambda: not page.text("#renewal-reason"), "the question is gone")
    assert "eyJ" not in page.state()
    assert page.run("return location.href") == daemon.address


def test_token_expires(start, chat):
    """At its expiry the page asks for another token, and keeps what is written meanwhile."""
    daemon = start(demo=False)
    page = chat(daemon, to="bert", token=token("anna", expires_in=6)).connected()
    assert page.run("return location.href") == daemon.address
    page.until(lambda: "does not accept the token" in page.text("#renewal-reason"), "it expires")
    page.find("#new-token").send_keys(token("anna"), Keys.ENTER)
    page.connected().say("here again")
    page.settles("accepted", 1)


def test_refused_for_good(pair):
    """A message that the server never takes is set aside; those behind it go on."""
    _, anna, bert = pair("--engine-message-bytes", "1KiB")
    anna.find("#switch").click()
    anna.equals(anna.connection, "off", "the page is disconnected")
    anna.say("before")
    anna.paste("x" * 2_000)
    anna.say("behind")
    anna.settles("waiting", 3)
    device = anna.content("#fact-device")
    anna.find("#switch").click()
    anna.equals(anna.states, ["accepted", "refused", "accepted"], "two are accepted, one is not")
    assert [message["sequence"] for message in anna.messages()] == [1, 0, 2]
    bert.shows(["before", "behind"])
    anna.equals(anna.outbox, 0, "nothing waits")
    anna.say("and on")
    bert.shows(["before", "behind", "and on"])
    # They moved up by one number each: the device did not have to take another name.
    anna.settles_as(["accepted", "refused", "accepted", "accepted"])
    assert anna.content("#fact-device") == device


def test_notice_and_gap(pair):
    """A message that is too large to be pushed is fetched, and so is what is pushed behind it."""
    _, anna, bert = pair()
    large = "y" * 20_000
    for number in range(3):
        anna.paste(large)
        anna.say(f"small {number}")
    expected = [text for number in range(3) for text in (large, f"small {number}")]
    bert.shows(expected)
    assert bert.events("notice")
    bert.settles("acknowledged", 6, is_mine=False)
    assert [message["sequence"] for message in bert.messages()] == [1, 2, 3, 4, 5, 6]


def test_a_push_is_missing(pair):
    """What is pushed behind a hole is not taken, but fetched: a push is a hint."""
    _, anna, bert = pair()
    anna.say("one", "two")
    bert.settles("acknowledged", 2, is_mine=False)
    # As if the second had never come: what is held ends before it.
    bert.run("""
        const opening = indexedDB.open("mailbox-bert", 1);
        opening.onsuccess = () => {
          const cursors = opening.result.transaction("cursors", "readwrite").objectStore("cursors");
          const asking = cursors.get("anna");
          asking.onsuccess = () => {
            cursors.put({ ...asking.result, sequence: 1, acknowledged: 1 }, "anna");
          };
          cursors.transaction.oncomplete = () => { document.title = "holds one"; };
        };
    """)
    bert.until(lambda: bert.run("return document.title") == "holds one", "the cursor is set back")
    anna.say("three")
    bert.shows(["one", "two", "three"])
    bert.until(lambda: bert.number("got-acknowledged") == 3, "it is acknowledged")
    assert bert.messages()[2]["words"].startswith("sequence 3 · fetched")
    anna.say("four")
    bert.shows(["one", "two", "three", "four"])
    assert bert.messages()[3]["words"].startswith("sequence 4 · pushed")


def test_unread_and_bad_names(pair, chat):
    """What comes from others is counted until it is looked at; a name that is none is refused."""
    daemon, anna, bert = pair()
    eve = chat(daemon, "eve", to="anna").connected()
    eve.say("psst", "anna?")
    anna.equals(
        lambda: anna.run("return document.querySelector('#peers .unread')?.textContent"), "2",
        "two are unread")
    anna.choose("eve")
    anna.shows(["psst", "anna?"])
    anna.until(
        lambda: anna.run("return document.querySelector('#peers .unread')") is None,
        "none is unread")
    anna.find("#peer").send_keys("ü" * 40, Keys.ENTER)
    anna.until(lambda: "64 bytes" in anna.text("#peer-error"), "the name is too long")


def test_headers_and_sources(start, chat):
    """The page takes nothing from elsewhere, and may not."""
    daemon = start()
    page = chat(daemon, "anna", to="bert").connected()
    sources = page.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert sources and all(source.startswith(daemon.address) for source in sources)
    for path in ("", "chat.js", "chat.css", "worker.js"):
        with urllib.request.urlopen(daemon.address + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
    # The policy holds: a script that stands in the page does not run.
    page.run(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"owned\"'; document.body.append(script);")
    assert page.run("return document.title") == "anna – Mailbox"
    refused = page.complaints()
    assert refused and all("Content Security Policy" in complaint for complaint in refused)


def test_every_width(pair):
    """Nothing is cut off at the side, and the message can be written, on any screen."""
    _, anna, bert = pair()
    texts = ["A word that is long: " + "m" * 200, "And an answer"]
    anna.say(texts[0])
    anna.settles("accepted", 1)
    bert.say(texts[1])
    anna.shows(texts)
    for width in (320, 390, 700, 1_000, 1_400):
        for is_open in (False, True):
            anna.size(width, 700)
            anna.run("document.getElementById('wire').open = arguments[0]", is_open)
            assert anna.run("return document.documentElement.scrollWidth") <= width
            for selector in ("#text", "#compose button", "#peer", "#state", "#messages li.mine"):
                left, right, top, bottom = anna.run(
                    "const {left, right, top, bottom} = document.querySelector(arguments[0])"
                    ".getBoundingClientRect(); return [left, right, top, bottom]", selector)
                assert 0 <= left < right <= width, (selector, width, left, right)
                if selector != "#messages li.mine":
                    assert 0 <= top < bottom <= 700, (selector, width, top, bottom)
    # The newest message is still seen.
    anna.until(
        lambda: anna.run(
            "const {scrollTop, clientHeight, scrollHeight} = document.getElementById('scroll');"
            "return scrollTop + clientHeight > scrollHeight - 60"),
        "the newest message is seen")
