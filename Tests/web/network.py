"""A network between a page and a daemon, which can stop bringing anything, without saying so."""

import selectors
import socket
import threading


class Network:
    """Forwards connections to a port. While it is cut, nothing is forwarded, and nothing is closed:
    as behind a router that was switched off."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        # Wakes the thread: a byte for each change.
        self.bell, self.button = socket.socketpair()
        self.selector.register(self.bell, selectors.EVENT_READ)
        self.others = {}
        self.is_cut = False
        self.is_closed = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def cut(self):
        self.is_cut = True
        self.button.send(b"x")

    def mend(self):
        """What was open is gone; new connections are forwarded."""
        self.is_cut = False
        self.button.send(b"x")

    def close(self):
        self.is_closed = True
        self.button.send(b"x")
        self.thread.join()

    def _run(self):
        was_cut = False
        while not self.is_closed:
            for key, _ in self.selector.select():
                if key.fileobj is self.bell:
                    self.bell.recv(64)
                    if was_cut and not self.is_cut:
                        for end in list(self.others):
                            self._end(end)
                    if self.is_cut and not was_cut:
                        for end in self.others:
                            self.selector.unregister(end)
                    was_cut = self.is_cut
                elif key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj in self.others and not was_cut:
                    self._forward(key.fileobj)
        for end in list(self.others):
            self._end(end)
        for end in (self.listener, self.bell, self.button, self.selector):
            end.close()

    def _accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            near.close()
            return
        self.others[near] = far
        self.others[far] = near
        if not self.is_cut:
            self.selector.register(near, selectors.EVENT_READ)
            self.selector.register(far, selectors.EVENT_READ)

    def _forward(self, end):
        try:
            data = end.recv(65_536)
            if data:
                self.others[end].sendall(data)
                return
        except OSError:
            pass
        self._end(end)

    def _end(self, end):
        other = self.others.pop(end, None)
        if other is None:
            return
        self.others.pop(other, None)
        for each in (end, other):
            try:
                self.selector.unregister(each)
            except KeyError:
                pass
            each.close()
