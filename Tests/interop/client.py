"""The generated client, with a mailbox at hand, so that tests read as what they test."""

import functools

import grpc
import pytest
from grpc_status import rpc_status
from mailbox.store.v1 import admin_pb2, admin_pb2_grpc, store_pb2, store_pb2_grpc, types_pb2

SECONDS = 20


class Client:
    def __init__(self, channel, sender, receiver):
        self.channel = channel
        self.store = store_pb2_grpc.StoreServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.sender = sender
        self.receiver = receiver

    @functools.cached_property
    def epoch(self):
        return self.info().epoch

    @property
    def mailbox(self):
        return types_pb2.MailboxId(sender=self.sender, receiver=self.receiver)

    def cursor(self, sequence):
        """A cursor of the store's epoch; 0 comes without one."""
        return types_pb2.Cursor(sequence=sequence, epoch=self.epoch if sequence else 0)

    def message(self, body=b"body", number=None, device="phone", **changes):
        """An append to the test's mailbox; with a producer when it has a number."""
        append = types_pb2.Append(sender=self.sender, receiver=self.receiver, body=body)
        if number is not None:
            append.producer.device = device
            append.producer.client_sequence = number
        for name, value in changes.items():
            setattr(append, name, value)
        return append

    def info(self):
        return self.store.GetStoreInfo(store_pb2.GetStoreInfoRequest(), timeout=SECONDS)

    def append(self, body=b"body", number=None, **changes):
        request = store_pb2.AppendRequest(append=self.message(body, number, **changes))
        return self.store.Append(request, timeout=SECONDS).result

    def fill(self, count):
        """Stores messages whose bodies are their sequences."""
        appends = [self.message(str(sequence).encode()) for sequence in range(1, count + 1)]
        request = store_pb2.AppendBatchRequest(appends=appends, atomic=True)
        outcomes = self.store.AppendBatch(request, timeout=SECONDS).outcomes
        assert [outcome.result.sequence for outcome in outcomes] == list(range(1, count + 1))

    def fetch(self, cursor=0, messages=0, bytes=0):
        if isinstance(cursor, int):
            cursor = self.cursor(cursor)
        request = store_pb2.FetchRequest(mailbox=self.mailbox, cursor=cursor)
        request.limit.messages = messages
        request.limit.bytes = bytes
        return self.store.Fetch(request, timeout=SECONDS)

    def read(self, after=0, through=None):
        request = store_pb2.ReadRequest(mailbox=self.mailbox, after=after, through=through)
        return self.store.Read(request, timeout=SECONDS)

    def acknowledge(self, sequence):
        request = store_pb2.AcknowledgeRequest(
            mailbox=self.mailbox, cursor=self.cursor(sequence)
        )
        return self.store.Acknowledge(request, timeout=SECONDS).head

    def head(self):
        request = store_pb2.GetHeadRequest(mailbox=self.mailbox)
        return self.store.GetHead(request, timeout=SECONDS).head

    def compact(self):
        """Removes what is confirmed, in every mailbox."""
        request = admin_pb2.CompactRequest()
        request.policy.unacknowledged.SetInParent()
        return self.admin.Compact(request, timeout=SECONDS)

    def stats(self):
        return self.admin.GetStats(admin_pb2.GetStatsRequest(), timeout=SECONDS)


def sequences(answer):
    """The sequences of an answer's messages."""
    return [message.sequence for message in answer.messages]


class Refusal:
    """What `refused` caught."""

    detail = None


class refused:
    """Expects a refusal by the store: its gRPC code and its detail's code, by name."""

    def __init__(self, status, code):
        self.status = grpc.StatusCode[status]
        self.code = types_pb2.ErrorCode.Value(f"ERROR_CODE_{code}")
        self.raises = pytest.raises(grpc.RpcError)

    def __enter__(self):
        self.error = self.raises.__enter__()
        self.refusal = Refusal()
        return self.refusal

    def __exit__(self, *exception):
        caught = self.raises.__exit__(*exception)
        error = self.error.value
        assert error.code() == self.status, error.details()
        # Fails when the detail's code and message are not those of the call.
        status = rpc_status.from_call(error)
        assert status is not None, "a refusal of the store carries a google.rpc.Status"
        assert len(status.details) == 1
        detail = types_pb2.StoreErrorDetail()
        assert status.details[0].Unpack(detail)
        assert detail.code == self.code, detail
        assert detail.message and detail.message == error.details()
        self.refusal.detail = detail
        return caught
