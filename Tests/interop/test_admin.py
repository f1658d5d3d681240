"""What an operator does: health, statistics, compaction, checks, copies."""

import os
import pathlib
import subprocess

import grpc
import pytest
from client import SECONDS, Client, refused, sequences
from conftest import Daemon
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mailbox.store.v1 import admin_pb2

MAILBOXCTL = os.environ.get("MAILBOXCTL")


def test_health(client):
    health = health_pb2_grpc.HealthStub(client.channel)
    services = ["", "mailbox.store.v1.StoreService", "mailbox.store.v1.AdminService"]
    for service in services:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=SECONDS)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_health_watch(client):
    health = health_pb2_grpc.HealthStub(client.channel)
    for service, status in [("", "SERVING"), ("nobody", "SERVICE_UNKNOWN")]:
        call = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
        assert next(call).status == health_pb2.HealthCheckResponse.ServingStatus.Value(status)
        call.cancel()


def test_statistics(client):
    before = client.stats()
    client.fill(500)
    client.append(b"one", number=1)
    client.append(b"one", number=1)
    client.fetch(messages=10)
    after = client.stats()
    assert after.appended_messages - before.appended_messages == 501
    assert after.duplicates - before.duplicates == 1
    assert after.fetched_messages - before.fetched_messages == 10
    assert after.groups > before.groups
    assert after.epoch == client.epoch and after.condition == ""
    assert after.append_latency.count > 0 and after.sync_latency.count > 0
    latency = after.append_latency
    assert 0 < latency.p50_microseconds <= latency.p99_microseconds
    assert latency.p99_microseconds <= latency.maximum_microseconds
    assert client.mailbox in [busy.mailbox for busy in after.busiest]


def test_compaction_removes_what_is_confirmed_alone(client):
    client.fill(10)
    client.acknowledge(4)
    report = client.compact()
    assert report.messages_removed >= 4 and report.mailboxes_compacted >= 1
    head = client.head()
    assert (head.floor, head.acknowledged_sequence, head.max_sequence) == (4, 4, 10)
    assert sequences(client.fetch(cursor=4)) == [5, 6, 7, 8, 9, 10]


def test_verify_finds_nothing(client):
    client.fill(10)
    client.admin.Checkpoint(admin_pb2.CheckpointRequest(), timeout=SECONDS)
    events = list(client.admin.Verify(admin_pb2.VerifyRequest(), timeout=60))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["progress"] * (len(kinds) - 1) + ["report"]
    report = events[-1].report
    assert (report.problem_count, list(report.problems)) == (0, [])
    assert report.messages >= 10 and report.mailboxes >= 1


def test_list_mailboxes_in_pages(client):
    for sender in ["a", "b", "c"]:
        client.append(sender=sender)
    found, request = [], admin_pb2.ListMailboxesRequest(limit=2)
    while True:
        page = client.admin.ListMailboxes(request, timeout=SECONDS)
        assert len(page.entries) <= 2
        found += [(entry.mailbox.receiver, entry.mailbox.sender) for entry in page.entries]
        if not page.HasField("next"):
            break
        request.after.CopyFrom(page.next)
    assert found == sorted(found)
    assert [sender for receiver, sender in found if receiver == client.receiver] == ["a", "b", "c"]


def back_up(client, directory):
    """Writes the copy that the daemon streams, and checks what it says of itself."""
    written = set()
    for part in client.admin.Backup(admin_pb2.BackupRequest(), timeout=60):
        if part.WhichOneof("part") == "summary":
            summary = part.summary
            continue
        path = pathlib.PurePosixPath(part.chunk.path)
        assert not path.is_absolute() and ".." not in path.parts
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "ab") as file:
            assert file.tell() == part.chunk.offset
            file.write(part.chunk.data)
        written.add(target)
    assert part.WhichOneof("part") == "summary", "the summary comes last"
    assert summary.files == len(written)
    assert summary.bytes == sum(path.stat().st_size for path in written)
    assert summary.epoch == client.epoch


def test_backup_is_streamed(client, tmp_path):
    client.fill(100)
    back_up(client, tmp_path / "copy")
    assert client.append().sequence == 101


@pytest.mark.skipif(not MAILBOXCTL, reason="MAILBOXCTL says where the tool is")
def test_a_backup_restores_with_a_new_epoch(client, tmp_path):
    client.fill(100)
    client.append(b"one", number=1)
    client.acknowledge(40)
    back_up(client, tmp_path / "copy")
    store = tmp_path / "store"
    subprocess.run([MAILBOXCTL, "restore", tmp_path / "copy", store], check=True, timeout=60)

    daemon = Daemon(store)
    try:
        with grpc.insecure_channel(daemon.address) as channel:
            restored = Client(channel, client.sender, client.receiver)
            assert restored.epoch != client.epoch
            with refused("FAILED_PRECONDITION", "EPOCH_CHANGED") as refusal:
                restored.fetch(client.cursor(101))
            assert refusal.detail.current_epoch == restored.epoch
            assert sequences(restored.fetch()) == list(range(41, 102))
            assert restored.append(b"one", number=1).is_duplicate
            assert restored.append(b"two", number=2).sequence == 102
    finally:
        assert daemon.stop() == 0
