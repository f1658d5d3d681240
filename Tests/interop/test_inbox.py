"""What a receiver hears of all its senders: inbox, sync, watch."""

import queue
import threading

from client import SECONDS, refused, sequences
from mailbox.store.v1 import store_pb2, types_pb2


def write_from(client, senders):
    appends = [client.message(sender=sender) for sender in senders]
    client.store.AppendBatch(store_pb2.AppendBatchRequest(appends=appends), timeout=SECONDS)


def test_list_inbox_in_pages(client):
    senders = [f"s{number:02}" for number in range(25)]
    write_from(client, senders[::-1])
    found, after, pages = [], "", 0
    while after or not pages:
        request = store_pb2.ListInboxRequest(receiver=client.receiver, after=after, limit=10)
        page = client.store.ListInbox(request, timeout=SECONDS)
        found += [entry.sender for entry in page.entries]
        after, pages = page.next, pages + 1
        assert page.epoch == client.epoch
        assert {entry.head.max_sequence for entry in page.entries} == {1}
    assert (found, pages) == (senders, 3)


def sync(client, cursors=(), messages=0):
    request = store_pb2.SyncRequest(receiver=client.receiver)
    for sender, sequence in cursors:
        request.cursors.add(sender=sender, cursor=client.cursor(sequence))
    request.limit.messages = messages
    return client.store.Sync(request, timeout=SECONDS)


def test_sync_answers_every_mailbox_that_waits(client):
    write_from(client, ["ann", "bea", "ann", "cid"])
    answer = sync(client)
    found = {entry.sender: sequences(entry) for entry in answer.entries}
    assert found == {"ann": [1, 2], "bea": [1], "cid": [1]}
    assert not answer.has_more and answer.epoch == client.epoch

    answer = sync(client, [("ann", 1), ("bea", 1)])
    found = {entry.sender: sequences(entry) for entry in answer.entries}
    assert found == {"ann": [2], "cid": [1]}


def test_sync_goes_on_until_nothing_waits(client):
    write_from(client, ["ann"] * 5 + ["bea"] * 5)
    held = {"ann": 0, "bea": 0}
    for _ in range(20):
        answer = sync(client, held.items(), messages=3)
        for entry in answer.entries:
            assert sequences(entry)[0] == held[entry.sender] + 1
            held[entry.sender] = sequences(entry)[-1]
        if not answer.has_more:
            break
    assert held == {"ann": 5, "bea": 5}


def test_sync_with_a_cursor_ahead_is_refused(client):
    write_from(client, ["ann"])
    with refused("OUT_OF_RANGE", "CURSOR_AHEAD") as refusal:
        sync(client, [("ann", 2)])
    assert refusal.detail.max_sequence == 1
    assert refusal.detail.mailbox.sender == "ann"


class Watch:
    """A watch whose events are put in a queue as they come."""

    def __init__(self, client, receivers):
        self.call = client.store.Watch(store_pb2.WatchRequest(receivers=receivers))
        self.events = queue.Queue()
        self.error = None
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self):
        try:
            for event in self.call:
                self.events.put(event)
        except Exception as error:  # kept for the test, which expects it or not
            self.error = error
        self.events.put(None)

    def until(self, condition):
        """The newest head of each sender, once `condition` holds of them and of "caught up"."""
        heads, caught_up = {}, False
        while not condition(heads, caught_up):
            event = self.events.get(timeout=SECONDS)
            assert event is not None, self.error
            heads |= {moved.mailbox.sender: moved.head for moved in event.heads}
            caught_up = caught_up or event.caught_up
        return heads

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.thread.join(SECONDS)


def test_watch_catches_up_then_is_live(client):
    write_from(client, ["ann", "bea", "ann"])
    with Watch(client, [client.receiver]) as watch:
        heads = watch.until(lambda heads, caught_up: caught_up)
        assert {sender: head.max_sequence for sender, head in heads.items()} == {"ann": 2, "bea": 1}
        write_from(client, ["cid"])
        heads = watch.until(lambda heads, _: "cid" in heads)
        assert heads["cid"].max_sequence == 1
        write_from(client, ["ann"] * 50)
        watch.until(lambda heads, _: "ann" in heads and heads["ann"].max_sequence == 52)


def test_watch_of_an_empty_inbox_is_caught_up_at_once(client):
    with Watch(client, [client.receiver, client.receiver + "-other"]) as watch:
        assert watch.until(lambda heads, caught_up: caught_up) == {}
        write_from(client, ["ann"])
        watch.until(lambda heads, _: "ann" in heads)


def test_a_client_that_leaves_gives_its_watch_back(client):
    before = client.stats().watchers
    with Watch(client, [client.receiver]) as watch:
        watch.until(lambda heads, caught_up: caught_up)
        assert client.stats().watchers == before + 1
    # The end of a call is heard a moment later; each look is a call of its own.
    assert any(client.stats().watchers == before for _ in range(1000))
