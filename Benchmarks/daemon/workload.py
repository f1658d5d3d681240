"""What every contestant is given: the same bodies, the same number of mailboxes."""

import random
import string

MAILBOXES = 100_000
BODY_BYTES = 100
FETCH_MAILBOXES = 2_000
FETCH_DEPTH = 200
FETCH_COUNT = 50

# Printable, so that it passes unchanged through every client's command line.
BODY = "".join(
    random.Random(20).choices(string.ascii_letters + string.digits, k=BODY_BYTES)
)


class Variant:
    """One way to drive a peer: what it is called, and what the peer's driver needs to know."""

    def __init__(self, label, **settings):
        self.label = label
        self.settings = settings

    def __getitem__(self, name):
        return self.settings[name]
