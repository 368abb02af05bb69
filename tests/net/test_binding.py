from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.binding import UNIX_MODE, bind_copies, bind_internet, bind_unix


class InternetTests(SynchronousTestCase):
    """Sockets on IP addresses."""

    def bind(self, host: str, port: int = 0) -> socket.socket:
        listening = bind_internet(host, port)
        self.addCleanup(listening.close)
        return listening

    def test_a_free_port_is_found_and_listens(self) -> None:
        listening = self.bind("127.0.0.1")
        self.assertFalse(listening.getblocking())
        host, port = listening.getsockname()
        self.assertEqual(host, "127.0.0.1")
        socket.create_connection((host, port)).close()

    def test_a_port_that_is_taken_is_refused(self) -> None:
        port = self.bind("127.0.0.1").getsockname()[1]
        error = self.assertRaises(OSError, bind_internet, "127.0.0.1", port)
        self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_ipv4_and_ipv6_share_a_port(self) -> None:
        for _ in range(20):
            port = self.bind("::").getsockname()[1]
            try:
                self.bind("0.0.0.0", port)
            except OSError:
                # Somebody else on this machine has it for IPv4.
                continue
            return
        self.fail("no port is free for both")

    def test_a_server_that_restarts_gets_its_port_again(self) -> None:
        listening = self.bind("127.0.0.1")
        address = listening.getsockname()
        listening.setblocking(True)
        client = socket.create_connection(address)
        self.addCleanup(client.close)
        server, _ = listening.accept()
        server.close()  # the server closes first: its port lingers in TIME_WAIT
        listening.close()
        self.bind(*address)


class CopiesTests(SynchronousTestCase):
    """Sockets that share an address."""

    def copies(self, host: str, port: int, number: int) -> list[socket.socket]:
        copies = bind_copies(host, port, number)
        for copy in copies:
            self.addCleanup(copy.close)
        return copies

    def test_each_has_a_queue_of_its_own(self) -> None:
        copies = self.copies("127.0.0.1", 0, 3)
        [address] = {copy.getsockname() for copy in copies}
        for _ in range(60):
            self.addCleanup(socket.create_connection(address).close)
        for copy in copies:
            copy.accept()[0].close()

    def test_whoever_shares_an_address_already_is_not_joined(self) -> None:
        [first, _] = self.copies("127.0.0.1", 0, 2)
        for number in (1, 2):
            again = (*first.getsockname(), number)
            error = self.assertRaises(OSError, bind_copies, *again)
            self.assertEqual(error.errno, errno.EADDRINUSE)
        error = self.assertRaises(OSError, bind_internet, *first.getsockname())
        self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_ipv6_works_alike(self) -> None:
        copies = self.copies("::1", 0, 2)
        self.assertEqual(len({copy.getsockname() for copy in copies}), 1)


class UnixTests(SynchronousTestCase):
    """Sockets in the file system."""

    def setUp(self) -> None:
        # Trial's own folders may be too deep for the path of a socket.
        folder = self.mktemp()
        os.makedirs(folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)

    def test_owner_and_group_may_connect(self) -> None:
        with bind_unix("lmtp"):
            self.assertEqual(stat.S_IMODE(os.stat("lmtp").st_mode), UNIX_MODE)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect("lmtp")

    def test_what_a_dead_process_left_is_removed(self) -> None:
        bind_unix("lmtp").close()
        self.assertTrue(os.path.exists("lmtp"))
        bind_unix("lmtp").close()

    def test_a_living_process_keeps_its_socket(self) -> None:
        with bind_unix("lmtp"):
            error = self.assertRaises(OSError, bind_unix, "lmtp")
            self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_a_process_that_is_too_busy_to_accept_keeps_its_socket(self) -> None:
        with bind_unix("lmtp") as listening, ExitStack() as stack:
            listening.listen(0)
            try:
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect("lmtp")
            except BlockingIOError:
                error = self.assertRaises(OSError, bind_unix, "lmtp")
            self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_another_file_is_never_removed(self) -> None:
        with open("lmtp", "w") as file:
            file.write("mine")
        self.assertRaises(OSError, bind_unix, "lmtp")
        with open("lmtp") as file:
            self.assertEqual(file.read(), "mine")
