"""Sessions that people type by hand to see whether a server works."""

from __future__ import annotations

import socket
import subprocess

from mailhub.testing.server import MailHub

from ..programs import require
from .corpus import ALICE
from .fixture import PROGRAM_TIMEOUT, ClientTests

#: What courses type: username@example.com and password, in base64.
NAME, SECRET = "username@example.com", "password"
NAME_64, SECRET_64 = "dXNlcm5hbWVAZXhhbXBsZS5jb20=", "cGFzc3dvcmQ="


class TypedTests(ClientTests):
    """telnet(1), nc(1) and openssl s_client, one line after the other."""

    def typed(self, address, lines, context=None):
        """Type each line when there is an answer to the one before.  -> the answers"""
        with socket.create_connection(address, PROGRAM_TIMEOUT) as plain:
            stream = plain
            if context is not None:
                stream = context.wrap_socket(plain, server_hostname="localhost")
            with stream, stream.makefile("rb") as answers:
                found = [_answer(answers)]
                for line in lines:
                    stream.sendall(line.encode() + b"\r\n")
                    found.append(_answer(answers))
        return found

    async def test_login_with_base64_by_hand_and_a_message(self):
        hub = await MailHub.start({NAME: SECRET})
        self.addCleanup(hub.stop)
        address = hub.host, hub.port("submission")
        found = await self.in_thread(self.typed, address, [
            "EHLO mydomain.com", "AUTH LOGIN", NAME_64, SECRET_64,
            f"MAIL FROM:<{NAME}>", f"RCPT TO:<{NAME}>", "DATA",
            f"Subject: Test\r\nFrom: {NAME}\r\nTo: {NAME}\r\n\r\nbody\r\n.", "QUIT",
        ])  # fmt: skip
        codes = [line[:3] for line in found]
        self.assertEqual(
            " ".join(codes), "220 250 334 334 235 250 250 354 250 221", found
        )
        self.assertEqual(found[2:5], [
            "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6",
            "235 2.7.0 Authentication successful",
        ])  # fmt: skip
        self.assertEqual(found[-1], "221 2.0.0 Bye")
        [message] = await hub.wait_for(NAME, 1)
        self.assertEqual(message.subject, "Test")

    async def test_who_has_not_logged_in_is_told_so(self):
        for service, lines, code in (
            ("submission", ["EHLO x", f"MAIL FROM:<{ALICE}>"], "530"),
            ("smtp", ["EHLO x", f"MAIL FROM:<{ALICE}>", "RCPT TO:<x@far.example>"],
             "550"),
        ):  # fmt: skip
            found = await self.in_thread(self.typed, self.address(service), lines)
            self.assertEqual(found[-1][:3], code, found)
        self.assertEqual(found[-1], "550 5.7.1 Relay access denied")

    async def test_nc_sees_every_port_and_a_closed_one(self):
        for service in ("smtp", "submission", "submissions", "pop3", "pop3s", "imap",
                        "imaps"):  # fmt: skip
            host, port = self.address(service)
            output = await self.run_program("nc", "-zv", host, port)
            self.assertIn("succeeded", output)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            output = await self.run_program("nc", "-zv", host, port, fails=True)
        self.assertIn("refused", output)

    async def test_openssl_with_crlf_greets_on_every_port(self):
        for service, options, greeting, end in (
            ("submissions", (), b"220 ", b"QUIT"), ("pop3s", (), b"+OK", b"QUIT"),
            ("imaps", (), b"* OK", b"a004 LOGOUT"),
            ("submission", ("-starttls", "smtp"), b"221 2.0.0 Bye", b"QUIT"),
        ):  # fmt: skip
            host, port = self.address(service)
            command = [
                require("openssl"), "s_client", "-connect", f"{host}:{port}", "-crlf",
                "-quiet", "-verify_quiet", *options,
            ]  # fmt: skip
            done = await self.in_thread(
                lambda command=command, end=end: subprocess.run(
                    command, input=end + b"\n", capture_output=True, check=False,
                    timeout=PROGRAM_TIMEOUT,
                )  # fmt: skip
            )
            self.assertIn(greeting, done.stdout, service)



def _answer(answers) -> str:
    """The last line of a reply."""
    line = answers.readline()
    while line[3:4] == b"-":
        line = answers.readline()
    return line.decode().rstrip("\r\n")
