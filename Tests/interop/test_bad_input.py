"""What no client should send: a clear refusal, and everybody else is served on.

The `client` fixture looks after each test whether the daemon still answers."""

import errno
import re
import socket

import grpc
import pytest
from client import SECONDS, refused
from mailbox.store.v1 import admin_pb2, store_pb2, types_pb2

SERVICE = "/mailbox.store.v1.StoreService/"
MALFORMED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}
GARBAGE = [
    b"\xff",
    b"\x0a\xff\xff\xff\xff\x0f",  # a field that is longer than the message
    b"\x0a\x02\x0a\x05",  # the same one level down
    b"\x07",  # a wire type that there is not
    b"\x0a\x04\x0a\x02\xc3\x28",  # an address that is not UTF-8
]
# The same for streams, where field 1 is the frame's number and field 2 what it holds.
STREAM_GARBAGE = [
    b"\xff",
    b"\x08\xff",
    b"\x12\xff\xff\xff\xff\x0f",
    b"\x12\x02\x0a\x05",
    b"\x07",
]


def raw_call(client, method, request):
    """Sends bytes as they are."""
    call = client.channel.unary_unary(SERVICE + method)
    return call(request, timeout=SECONDS)


@pytest.mark.parametrize("request_bytes", GARBAGE, ids=bytes.hex)
@pytest.mark.parametrize("method", ["Append", "Fetch"])
def test_malformed_bytes(client, method, request_bytes):
    with pytest.raises(grpc.RpcError) as caught:
        raw_call(client, method, request_bytes)
    assert caught.value.code() in MALFORMED, caught.value


@pytest.mark.parametrize("request_bytes", STREAM_GARBAGE, ids=bytes.hex)
@pytest.mark.parametrize("method", ["AppendStream", "FetchStream"])
def test_malformed_bytes_end_their_stream(client, method, request_bytes):
    good = store_pb2.AppendStreamRequest(frame=1, appends=[client.message()])
    if method == "FetchStream":
        good = store_pb2.FetchStreamRequest(
            frame=1, fetches=[store_pb2.FetchRequest(mailbox=client.mailbox)]
        )
    call = client.channel.stream_stream(SERVICE + method)
    answers = call(iter([good.SerializeToString(), request_bytes]), timeout=SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        list(answers)
    assert caught.value.code() in MALFORMED, caught.value


def test_unknown_fields_are_ignored(client):
    request = store_pb2.AppendRequest(append=client.message()).SerializeToString()
    answer = raw_call(client, "Append", request + b"\x9a\x06\x03new")
    assert store_pb2.AppendResponse.FromString(answer).result.sequence == 1


def test_unknown_method_and_unknown_service(client):
    for method in [SERVICE + "Burn", "/mailbox.store.v1.Nobody/Append", "/x"]:
        with pytest.raises(grpc.RpcError) as caught:
            client.channel.unary_unary(method)(b"", timeout=SECONDS)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "address", ["", "a" * 65, "ü" * 33, "tab\there", "\x7f", "null\0"], ids=repr
)
def test_addresses_that_are_none(client, address):
    for changes in [{"sender": address}, {"receiver": address}]:
        with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
            client.append(**changes)
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        client.append(number=1, device=address)
    request = store_pb2.ListInboxRequest(receiver=address)
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        client.store.ListInbox(request, timeout=SECONDS)


def test_the_longest_address(client):
    assert client.append(sender="ü" * 32).sequence == 1


@pytest.mark.parametrize(
    "method, request_message",
    [
        ("Append", store_pb2.AppendRequest()),
        ("Append", store_pb2.AppendRequest(append=types_pb2.Append(sender="a"))),
        ("Fetch", store_pb2.FetchRequest()),
        ("Read", store_pb2.ReadRequest()),
        ("Acknowledge", store_pb2.AcknowledgeRequest()),
        ("GetHead", store_pb2.GetHeadRequest()),
        ("GetSendState", store_pb2.GetSendStateRequest()),
        ("ListInbox", store_pb2.ListInboxRequest()),
        ("Sync", store_pb2.SyncRequest()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing(client, method, request_message):
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        getattr(client.store, method)(request_message, timeout=SECONDS)


def test_client_sequence_0(client):
    append = client.message()
    append.producer.device = "phone"
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        client.store.Append(store_pb2.AppendRequest(append=append), timeout=SECONDS)


def test_a_policy_of_no_kind(client):
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        request = admin_pb2.CompactRequest(policy=types_pb2.RetentionPolicy())
        client.admin.Compact(request, timeout=SECONDS)


@pytest.mark.parametrize("receivers", [[], ["bob"] * 10_001, [""]], ids=["0", "10001", "empty"])
def test_watches_of_nobody_or_too_many(client, receivers):
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        list(client.store.Watch(store_pb2.WatchRequest(receivers=receivers), timeout=SECONDS))


def test_a_sender_named_twice_in_a_sync(client):
    cursors = [store_pb2.SyncRequest.SenderCursor(sender="ann", cursor=client.cursor(0))] * 2
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        request = store_pb2.SyncRequest(receiver=client.receiver, cursors=cursors)
        client.store.Sync(request, timeout=SECONDS)


def test_a_body_above_the_limit(client):
    limit = client.info().message_bytes_maximum
    assert client.append(b"x" * limit).sequence == 1
    with refused("INVALID_ARGUMENT", "MESSAGE_TOO_LARGE"):
        client.append(b"x" * (limit + 1))
    assert client.head().max_sequence == 1


def test_a_batch_above_the_limit(client):
    appends = [client.message(b"")] * (client.info().batch_messages_maximum + 1)
    with refused("INVALID_ARGUMENT", "INVALID_ARGUMENT"):
        request = store_pb2.AppendBatchRequest(appends=appends)
        client.store.AppendBatch(request, timeout=SECONDS)
    assert client.head().max_sequence == 0


@pytest.mark.parametrize("times", [1, 8])
def test_a_request_above_the_limit_of_the_wire(client, times):
    limit = client.info().request_bytes_maximum
    with pytest.raises(grpc.RpcError) as caught:
        client.append(b"x" * (limit * times + 1))
    if times == 1:
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT, caught.value
        assert str(limit) in caught.value.details()
    # It is the call's end, not the connection's: the same channel goes on.
    assert client.append().sequence == 1


def test_no_refusal_and_no_log_tells_a_body(client, daemon):
    secret = b"canary-4711"
    client.append(b"first", number=1)
    for number in [1, 9]:
        with pytest.raises(grpc.RpcError) as caught:
            client.append(secret, number=number)
        told = repr([caught.value.details(), caught.value.trailing_metadata()])
        assert secret.decode() not in told
    client.append(secret, number=2)
    with pytest.raises(grpc.RpcError):
        raw_call(client, "Append", b"\xff" + secret)
    assert secret.decode() not in daemon.said()


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64, b"\0" * 4096],
    ids=["HTTP/1", "TLS", "HTTP/2", "zeroes"],
)
def test_other_protocols(client, daemon, said):
    host, port = daemon.address.split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        try:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError as error:
            # The daemon may be done with it before all is said.
            assert error.errno in (errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE), error


def test_versions_are_told(client):
    assert re.match(r"\d+\.\d+", client.info().version)
