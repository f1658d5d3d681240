"""A sender and a receiver that lose nothing: python example.py HOST:PORT"""

import sqlite3
import sys

import grpc
from grpc_status import rpc_status
from mailbox.store.v1 import store_pb2, store_pb2_grpc, types_pb2

SECONDS = 10


def detail_of(error):
    """The typed detail of a failed call; None when it did not come from the store."""
    status = rpc_status.from_call(error)
    for packed in status.details if status else []:
        detail = types_pb2.StoreErrorDetail()
        if packed.Unpack(detail):
            return detail
    return None


class Outbox:
    """What a device sends to one receiver: numbered when saved, kept until stored."""

    def __init__(self, channel, database, device, sender, receiver):
        self.store = store_pb2_grpc.StoreServiceStub(channel)
        self.database = database
        self.device = device
        self.mailbox = types_pb2.MailboxId(sender=sender, receiver=receiver)
        with database:
            # AUTOINCREMENT: a number is not given out again when its message is gone.
            database.execute("""
                CREATE TABLE IF NOT EXISTS outbox (
                    number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)""")

    def save(self, body):
        """Numbers a message (1, 2, 3 …) in the transaction that saves it."""
        with self.database:
            self.database.execute("INSERT INTO outbox (body) VALUES (?)", [body])

    def flush(self):
        """Sends what is saved, in order. After a lost answer, call it again: what the store has is
        not sent anew, and what it might have is sent with the number that it had."""
        state = self.store.GetSendState(
            store_pb2.GetSendStateRequest(mailbox=self.mailbox, device=self.device),
            timeout=SECONDS,
        )
        self._forget(through=state.last_client_sequence)
        rows = self.database.execute("SELECT number, body FROM outbox ORDER BY number").fetchall()
        for number, body in rows:
            producer = types_pb2.Producer(device=self.device, client_sequence=number)
            append = types_pb2.Append(
                sender=self.mailbox.sender,
                receiver=self.mailbox.receiver,
                producer=producer,
                body=body,
            )
            # Stored now, or found stored before (`is_duplicate`): either way it is safe.
            self.store.Append(store_pb2.AppendRequest(append=append), timeout=SECONDS)
            self._forget(through=number)

    def _forget(self, through):
        with self.database:
            self.database.execute("DELETE FROM outbox WHERE number <= ?", [through])


class Inbox:
    """What a receiver holds of one sender: messages and cursor change in one transaction."""

    def __init__(self, channel, database, sender, receiver):
        self.store = store_pb2_grpc.StoreServiceStub(channel)
        self.database = database
        self.mailbox = types_pb2.MailboxId(sender=sender, receiver=receiver)
        # An epoch has 64 bits without a sign, one more than SQLite's integers: it is kept as text.
        database.executescript("""
            BEGIN;
            CREATE TABLE IF NOT EXISTS held (
                epoch TEXT, sequence INTEGER, body BLOB, PRIMARY KEY (epoch, sequence));
            CREATE TABLE IF NOT EXISTS cursor (epoch TEXT, sequence INTEGER);
            INSERT INTO cursor SELECT '0', 0 WHERE NOT EXISTS (SELECT * FROM cursor);
            COMMIT;""")

    def receive(self):
        """Fetches until nothing waits. The cursor that goes with a fetch confirms what is held, so
        it is only ever read from the database. Answers the bodies that are new."""
        new = []
        while True:
            epoch, sequence = self.database.execute("SELECT epoch, sequence FROM cursor").fetchone()
            cursor = types_pb2.Cursor(epoch=int(epoch), sequence=sequence)
            request = store_pb2.FetchRequest(mailbox=self.mailbox, cursor=cursor)
            try:
                page = self.store.Fetch(request, timeout=SECONDS)
            except grpc.RpcError as error:
                detail = detail_of(error)
                if detail is None or detail.code != types_pb2.ERROR_CODE_EPOCH_CHANGED:
                    raise
                # The store was restored from a copy and counts anew: so does the cursor.
                self._hold(detail.current_epoch, [], 0)
                continue
            last = page.messages[-1].sequence if page.messages else sequence
            self._hold(page.epoch, page.messages, last)
            new += [message.body for message in page.messages]
            if not page.messages:
                return new

    def _hold(self, epoch, messages, sequence):
        epoch = str(epoch)
        rows = [(epoch, message.sequence, message.body) for message in messages]
        with self.database:
            self.database.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?)", rows)
            self.database.execute("UPDATE cursor SET epoch = ?, sequence = ?", [epoch, sequence])

    def wait(self):
        """Returns when the mailbox moves, at once when something waits. A watch may break at any
        time, and says nothing that a fetch would not: then begin another."""
        request = store_pb2.WatchRequest(receivers=[self.mailbox.receiver])
        call = self.store.Watch(request)
        try:
            for event in call:
                if any(moved.mailbox == self.mailbox for moved in event.heads):
                    return
        finally:
            call.cancel()


def main(address):
    # Databases in memory, to be short: yours are files.
    with grpc.insecure_channel(address) as channel:
        outbox = Outbox(channel, sqlite3.connect(":memory:"), "phone", "ann", "bob")
        inbox = Inbox(channel, sqlite3.connect(":memory:"), "ann", "bob")
        for body in [b"Hello Bob", b"are you there?"]:
            outbox.save(body)
        outbox.flush()
        inbox.wait()
        for body in inbox.receive():
            print(body.decode())


if __name__ == "__main__":
    main(sys.argv[1])
