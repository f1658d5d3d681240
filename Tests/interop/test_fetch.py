"""Fetch: reading is confirming the last read."""

from client import SECONDS, refused, sequences
from mailbox.store.v1 import store_pb2, types_pb2


def through(first, last):
    return list(range(first, last + 1))


# The three cases of docs/SEMANTICS.md, word for word.


def test_device_a_holds_100_of_150(client):
    client.fill(150)
    answer = client.fetch(cursor=100)
    assert sequences(answer) == through(101, 150)
    assert (answer.head.max_sequence, answer.head.acknowledged_sequence) == (150, 100)
    assert not answer.has_more
    assert answer.epoch == client.epoch


def test_device_a_holds_150_of_200(client):
    client.fill(200)
    answer = client.fetch(cursor=150)
    assert sequences(answer) == through(151, 200)
    assert answer.head.acknowledged_sequence == 150


def test_device_b_is_behind_what_device_a_confirmed(client):
    client.fill(200)
    client.acknowledge(150)
    answer = client.fetch(cursor=120)
    assert sequences(answer) == through(151, 200)
    assert answer.head.acknowledged_sequence == 150


# What else the contract says of it.


def test_a_lost_answer_costs_nothing(client):
    client.fill(20)
    first = client.fetch(cursor=5)
    assert client.fetch(cursor=5) == first
    assert [message.body for message in first.messages] == [b"%d" % n for n in through(6, 20)]
    timestamps = [message.timestamp_milliseconds for message in first.messages]
    assert timestamps == sorted(timestamps) and timestamps[0] > 0


def test_limits_of_messages_and_bytes(client):
    client.fill(30)
    page = client.fetch(messages=10)
    assert sequences(page) == through(1, 10) and page.has_more
    page = client.fetch(bytes=3)
    assert sequences(page) == [1, 2, 3] and page.has_more
    client.append(b"x" * 100)
    page = client.fetch(cursor=30, bytes=1)
    assert sequences(page) == [31] and not page.has_more, "at least one, whatever its size"


def test_a_mailbox_that_nobody_wrote_to(client):
    answer = client.fetch()
    assert not answer.messages and not answer.has_more
    assert answer.head == types_pb2.Head()


def test_a_cursor_ahead_is_refused_and_confirms_nothing(client):
    client.fill(3)
    with refused("OUT_OF_RANGE", "CURSOR_AHEAD") as refusal:
        client.fetch(cursor=4)
    assert refusal.detail.max_sequence == 3
    assert refusal.detail.mailbox == client.mailbox
    assert client.head().acknowledged_sequence == 0


def test_a_cursor_of_another_epoch_is_refused_and_confirms_nothing(client):
    client.fill(3)
    with refused("FAILED_PRECONDITION", "EPOCH_CHANGED") as refusal:
        client.fetch(types_pb2.Cursor(sequence=2, epoch=client.epoch ^ 1))
    assert refusal.detail.current_epoch == client.epoch
    assert client.head().acknowledged_sequence == 0


def test_only_cursor_0_comes_without_an_epoch(client):
    client.fill(3)
    assert sequences(client.fetch(types_pb2.Cursor())) == [1, 2, 3]
    with refused("FAILED_PRECONDITION", "EPOCH_CHANGED") as refusal:
        client.fetch(types_pb2.Cursor(sequence=2))
    assert refusal.detail.current_epoch == client.epoch
    assert client.head().acknowledged_sequence == 0


def test_a_fetch_without_a_cursor_is_refused(client):
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        client.store.Fetch(store_pb2.FetchRequest(mailbox=client.mailbox), timeout=SECONDS)


def test_read_confirms_nothing(client):
    client.fill(9)
    assert sequences(client.read(after=2, through=5)) == [3, 4, 5]
    assert client.head().acknowledged_sequence == 0


def test_a_read_below_the_floor_is_trimmed(client):
    client.fill(9)
    client.acknowledge(6)
    client.compact()
    with refused("OUT_OF_RANGE", "TRIMMED") as refusal:
        client.read(after=2)
    assert refusal.detail.floor == 6
    assert sequences(client.read(after=6)) == [7, 8, 9]
    assert client.head().floor == 6


def test_fetch_stream_answers_each_frame_in_order(client):
    client.fill(5)
    other = types_pb2.MailboxId(sender=client.sender, receiver=client.receiver + "-nobody")
    fetches = [
        store_pb2.FetchRequest(mailbox=client.mailbox, cursor=client.cursor(2)),
        store_pb2.FetchRequest(mailbox=client.mailbox, cursor=client.cursor(9)),
        store_pb2.FetchRequest(mailbox=other, cursor=client.cursor(0)),
    ]
    frames = [
        store_pb2.FetchStreamRequest(frame=7, fetches=fetches),
        store_pb2.FetchStreamRequest(frame=7, fetches=fetches[:1]),
    ]
    outcomes = [[]]
    for answer in client.store.FetchStream(iter(frames), timeout=SECONDS):
        assert answer.frame == 7
        outcomes[-1] += answer.outcomes
        if not answer.continues:
            outcomes.append([])
    first, second, rest = outcomes
    assert sequences(first[0].response) == [3, 4, 5]
    assert first[1].error.code == types_pb2.ERROR_CODE_CURSOR_AHEAD
    assert first[1].error.max_sequence == 5
    assert first[2].HasField("response") and not first[2].response.messages
    assert len(second) == 1 and sequences(second[0].response) == [3, 4, 5]
    assert rest == []


def test_a_large_answer_of_fetch_stream_comes_in_pieces(client):
    for _ in range(20):
        client.append(b"x" * 100_000)
    fetch = store_pb2.FetchRequest(mailbox=client.mailbox, cursor=client.cursor(0))
    fetch.limit.bytes = 600_000
    frame = store_pb2.FetchStreamRequest(frame=1, fetches=[fetch] * 8)
    answers = list(client.store.FetchStream(iter([frame]), timeout=SECONDS))
    assert len(answers) > 1
    assert [answer.continues for answer in answers] == [True] * (len(answers) - 1) + [False]
    outcomes = [outcome for answer in answers for outcome in answer.outcomes]
    assert [sequences(outcome.response) for outcome in outcomes] == [through(1, 6)] * 8
