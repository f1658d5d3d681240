"""Append: contiguous sequences, and a resend is harmless."""

from client import SECONDS, refused, sequences
from mailbox.store.v1 import store_pb2, types_pb2


def test_sequences_are_contiguous_and_durable(client):
    results = [client.append() for _ in range(5)]
    assert [result.sequence for result in results] == [1, 2, 3, 4, 5]
    assert not any(result.is_duplicate for result in results)
    assert {result.durability for result in results} == {types_pb2.DURABILITY_COMMIT}


def test_what_is_stored_is_what_was_sent(client):
    body = bytes(range(256))
    client.append(body, number=1, device="télé")
    [message] = client.fetch().messages
    assert message.body == body
    assert (message.producer.device, message.producer.client_sequence) == ("télé", 1)
    client.append(b"")
    message = client.fetch(cursor=1).messages[0]
    assert message.body == b"" and not message.HasField("producer")


def test_a_duplicate_answers_the_original_sequence(client):
    assert client.append(b"first", number=1).sequence == 1
    assert client.append(b"second", number=2).sequence == 2
    again = client.append(b"first", number=1)
    assert (again.sequence, again.is_duplicate) == (1, True)
    assert sequences(client.fetch()) == [1, 2]


def test_a_gap_is_refused_and_says_what_is_expected(client):
    client.append(number=1)
    with refused("FAILED_PRECONDITION", "PRODUCER_GAP") as refusal:
        client.append(number=3)
    assert refusal.detail.expected_client_sequence == 2
    assert refusal.detail.mailbox == client.mailbox
    assert client.append(number=2).sequence == 2


def test_other_bytes_under_a_used_number_are_a_conflict(client):
    client.append(b"one", number=1)
    with refused("ALREADY_EXISTS", "PRODUCER_CONFLICT"):
        client.append(b"another", number=1)


def test_devices_number_for_themselves(client):
    assert client.append(number=1, device="phone").sequence == 1
    assert client.append(number=1, device="laptop").sequence == 2
    assert send_state(client, "phone") == 1
    client.append(number=2, device="phone")
    assert (send_state(client, "phone"), send_state(client, "laptop")) == (2, 1)
    assert send_state(client, "tablet") == 0


def send_state(client, device):
    request = store_pb2.GetSendStateRequest(mailbox=client.mailbox, device=device)
    return client.store.GetSendState(request, timeout=SECONDS).last_client_sequence


def test_an_atomic_batch_is_all_or_nothing(client):
    appends = [client.message(number=1), client.message(number=3)]
    with refused("FAILED_PRECONDITION", "PRODUCER_GAP"):
        client.store.AppendBatch(store_pb2.AppendBatchRequest(appends=appends, atomic=True))
    assert client.head().max_sequence == 0
    answer = client.store.AppendBatch(store_pb2.AppendBatchRequest(appends=appends))
    assert answer.outcomes[0].result.sequence == 1
    assert answer.outcomes[1].error.code == types_pb2.ERROR_CODE_PRODUCER_GAP
    assert answer.outcomes[1].error.expected_client_sequence == 2


def test_append_stream_answers_each_frame_in_order(client):
    frames = [
        store_pb2.AppendStreamRequest(
            frame=number,
            appends=[client.message(b"%d-%d" % (number, place)) for place in range(size)],
        )
        for number, size in [(5, 10), (6, 1), (6, 0), (7, 500)]
    ]
    answers = list(client.store.AppendStream(iter(frames), timeout=SECONDS))
    assert [answer.frame for answer in answers] == [5, 6, 6, 7]
    assert [len(answer.outcomes) for answer in answers] == [10, 1, 0, 500]
    given = [outcome.result.sequence for answer in answers for outcome in answer.outcomes]
    assert given == list(range(1, 512))
    bodies = [message.body for message in client.fetch(cursor=10, messages=2).messages]
    assert bodies == [b"6-0", b"7-0"]


def test_a_refusal_within_a_stream_is_an_outcome_and_the_stream_goes_on(client):
    refusals = [
        client.message(number=2),
        client.message(sender="a\n"),
        client.message(receiver=""),
        client.message(body=b"x" * (client.info().message_bytes_maximum + 1)),
    ]
    frames = [
        store_pb2.AppendStreamRequest(frame=1, appends=[*refusals, client.message(number=1)]),
        store_pb2.AppendStreamRequest(frame=2, appends=[client.message(number=2)]),
    ]
    first, second = client.store.AppendStream(iter(frames), timeout=SECONDS)
    codes = [types_pb2.ErrorCode.Name(outcome.error.code) for outcome in first.outcomes[:4]]
    assert codes == [
        "ERROR_CODE_PRODUCER_GAP",
        "ERROR_CODE_INVALID_ARGUMENT",
        "ERROR_CODE_INVALID_ARGUMENT",
        "ERROR_CODE_MESSAGE_TOO_LARGE",
    ]
    assert first.outcomes[0].error.expected_client_sequence == 1
    assert first.outcomes[4].result.sequence == 1
    assert second.outcomes[0].result.sequence == 2
