"""Other ways to the same daemon."""

import concurrent.futures
import urllib.request

import grpc
from client import Client, sequences
from conftest import Daemon


def test_a_unix_socket_and_tcp_serve_the_same_store(tmp_path):
    socket = tmp_path / "s"
    daemon = Daemon(tmp_path / "store", "--listen-socket", str(socket))
    try:
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            assert Client(channel, "ann", "bob").append(b"by socket").sequence == 1
        with grpc.insecure_channel(daemon.address) as channel:
            client = Client(channel, "ann", "bob")
            assert client.append(b"by TCP").sequence == 2
            bodies = [message.body for message in client.fetch().messages]
            assert bodies == [b"by socket", b"by TCP"]
    finally:
        assert daemon.stop() == 0


def test_many_connections_at_once(client, daemon):
    def send(number):
        # Without an option of its own, a channel shares its connection with others.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(daemon.address, options) as channel:
            other = Client(channel, client.sender, client.receiver)
            return [other.append(number=place, device=f"d{number}").sequence for place in (1, 2)]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        given = sorted(sum(pool.map(send, range(64)), []))
    assert given == list(range(1, 129))
    assert sequences(client.fetch(cursor=100)) == list(range(101, 129))


def test_metrics_and_health_over_http(tmp_path):
    daemon = Daemon(tmp_path / "store")
    try:
        with grpc.insecure_channel(daemon.address) as channel:
            Client(channel, "ann", "bob").append()
        for page in ["healthz", "readyz"]:
            with urllib.request.urlopen(f"http://{daemon.metrics}/{page}", timeout=20) as answer:
                assert answer.status == 200
        with urllib.request.urlopen(f"http://{daemon.metrics}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/plain")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert lines and all(len(line.split()) >= 2 for line in lines)
        assert not any("ann" in line or "bob" in line for line in lines)
    finally:
        assert daemon.stop() == 0
