"""The client of docs/CLIENTS.md: what the page shows is this file, and it works."""

import pathlib
import sqlite3
import subprocess
import sys

import example
import grpc
import pytest

HERE = pathlib.Path(__file__).parent


def test_the_page_shows_the_file():
    page = (HERE.parents[1] / "docs/CLIENTS.md").read_text()
    text = (HERE / "example.py").read_text()
    assert f"```python\n{text}```\n" in page


def test_it_runs(client, daemon):
    program = [sys.executable, HERE / "example.py", daemon.address]
    output = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert output.stderr == ""
    assert output.stdout == "Hello Bob\nare you there?\n"


class LosesAnswers(grpc.UnaryUnaryClientInterceptor):
    """Lets appends through to the store, and loses every second answer on the way back."""

    class Lost(grpc.RpcError):
        pass

    calls = 0

    def intercept_unary_unary(self, continuation, details, request):
        answer = continuation(details, request)
        if details.method.endswith("/Append"):
            self.calls += 1
            if self.calls % 2 == 1:
                answer.result()
                raise self.Lost
        return answer


def test_lost_answers_lose_nothing_and_send_nothing_twice(client):
    lossy = grpc.intercept_channel(client.channel, LosesAnswers())
    outbox = example.Outbox(
        lossy, sqlite3.connect(":memory:"), "phone", client.sender, client.receiver
    )
    bodies = [b"%d" % number for number in range(10)]
    for body in bodies:
        outbox.save(body)
    lost = 0
    while True:
        try:
            outbox.flush()
            break
        except LosesAnswers.Lost:
            lost += 1
    assert lost > 1

    inbox = example.Inbox(
        client.channel, sqlite3.connect(":memory:"), client.sender, client.receiver
    )
    assert inbox.receive() == bodies
    assert inbox.receive() == []
    assert client.head().acknowledged_sequence == 10


def test_a_detail_is_read_and_what_has_none_is_told_apart(client):
    with pytest.raises(grpc.RpcError) as caught:
        client.fetch(cursor=1)
    assert example.detail_of(caught.value).max_sequence == 0
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary("/nobody/Nothing")(b"", timeout=10)
    assert example.detail_of(caught.value) is None
