"""A daemon that is killed or stopped, and clients that resend."""

import signal

import grpc
import pytest
from client import SECONDS, Client, refused, sequences
from conftest import Daemon
from mailbox.store.v1 import store_pb2


def test_what_was_answered_outlives_kill_and_a_resend_is_harmless(tmp_path):
    store = tmp_path / "store"
    daemon = Daemon(store)
    with grpc.insecure_channel(daemon.address) as channel:
        client = Client(channel, "ann", "bob")
        epoch = client.epoch
        for number in range(1, 21):
            assert client.append(b"%d" % number, number=number).sequence == number
        daemon.stop(signal.SIGKILL)
        with pytest.raises(grpc.RpcError) as caught:
            client.append(b"21", number=21)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE

    daemon = Daemon(store)
    try:
        with grpc.insecure_channel(daemon.address) as channel:
            client = Client(channel, "ann", "bob")
            assert client.epoch == epoch
            results = [client.append(b"%d" % number, number=number) for number in range(1, 22)]
            assert [result.sequence for result in results] == list(range(1, 22))
            assert [result.is_duplicate for result in results] == [True] * 20 + [False]
            assert sequences(client.fetch()) == list(range(1, 22))
    finally:
        assert daemon.stop() == 0


def test_a_daemon_that_is_asked_to_end_ends_watches_and_exits_with_0(tmp_path):
    daemon = Daemon(tmp_path / "store")
    with grpc.insecure_channel(daemon.address) as channel:
        client = Client(channel, "ann", "bob")
        client.append()
        call = client.store.Watch(store_pb2.WatchRequest(receivers=["bob"]), timeout=SECONDS)
        assert next(call).heads
        assert daemon.stop() == 0
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, caught.value


def test_a_directory_in_use_is_refused_and_its_owner_unharmed(client, daemon):
    with pytest.raises(RuntimeError) as caught:
        Daemon(daemon.directory)
    assert "locked" in str(caught.value) or "another process" in str(caught.value)
    assert client.append().sequence == 1
    with refused("FAILED_PRECONDITION", "PRODUCER_GAP"):
        client.append(number=7)
