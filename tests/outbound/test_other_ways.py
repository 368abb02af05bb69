"""Mail for functions, for programs behind HTTP, and for sockets of this machine."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import Site

from mailhub.errors import OverQuota, UnknownRecipient
from mailhub.outbound.functions import ByFunction
from mailhub.outbound.http import post_form
from mailhub.smtp.client_login import LoginFault

from .far_server import FarServer
from .way_case import MESSAGE, WayCase, told


class FunctionTests(WayCase):
    """``function:NAME``."""

    async def test_it_is_called_for_each_recipient(self):
        taken = []

        async def tickets(message, recipient, content):
            taken.append((message.sender, recipient, content.data))

        self.make(others={"function": ByFunction({"tickets": tickets})})
        names = ("a@x.example", "b@x.example")
        results = await self.send(*names, destination="function:tickets")
        self.assertEqual(told(results), [("delivered", "2.0.0")] * 2)
        self.assertEqual(taken, [("al@x.example", name, MESSAGE) for name in names])

    async def test_it_refuses_by_raising(self):
        async def picky(message, recipient, content):
            raise UnknownRecipient("who?") if recipient[0] == "a" else OverQuota("full")

        self.make(others={"function": ByFunction({"picky": picky})})
        results = await self.send("a@x", "b@x", destination="function:picky")
        self.assertEqual(told(results), [("failed", "5.1.1"), ("delayed", "4.2.2")])

    async def test_one_that_is_not_there_is_a_reason_to_wait(self):
        self.make(others={"function": ByFunction({})})
        results = await self.send(destination="function:gone")
        self.assertEqual(told(results), [("delayed", "4.3.0")])


class Taking(Resource):
    """A program that takes mail."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.code = 200
        self.taken: list[Any] = []

    def render_POST(self, request):
        headers = request.requestHeaders
        names = (b"content-type", b"x-mail-from", b"x-rcpt-to")
        self.taken.append(
            (*(headers.getRawHeaders(name, [b""])[0] for name in names),
             request.content.read())
        )  # fmt: skip
        request.setResponseCode(self.code)
        return b"seen"


class HTTPTests(WayCase):
    """``http:URL``."""

    def setUp(self) -> None:
        super().setUp()
        self.taking = Taking()
        site = Site(self.taking)
        site.noisy = False
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        self.url = f"http:http://127.0.0.1:{port.getHost().port}/in"
        self.make()

    async def test_the_message_is_posted_with_its_envelope(self):
        [result] = await self.send("jö\r\nX: y@x.example", destination=self.url)
        self.assertEqual(told([result]), [("delivered", "2.0.0")])
        self.assertEqual(self.taking.taken, [
            (b"message/rfc822", b"al@x.example", b"j%C3%B6%0D%0AX%3A%20y@x.example",
             MESSAGE)
        ])  # fmt: skip

    async def test_what_it_answers_counts(self):
        for code, outcome in (
            (204, "delivered"), (400, "failed"), (404, "failed"), (408, "delayed"),
            (429, "delayed"), (500, "delayed"), (503, "delayed"),
        ):  # fmt: skip
            self.taking.code = code
            [result] = await self.send(destination=self.url)
            self.assertEqual(result.outcome.value, outcome, code)

    async def test_nobody_there_is_a_reason_to_wait(self):
        for url in ("http:http://127.0.0.1:9/x", "http:gopher://x/", "http:x\u00e4"):
            [result] = await self.send(destination=url)
            self.assertEqual(result.outcome.value, "delayed", url)


    async def test_forms_are_answered_or_are_a_fault_of_the_login(self):
        """What gets access tokens."""
        url = self.url.removeprefix("http:")
        self.assertEqual(await self.post(url), b"seen")
        [(kind, *_, body)] = self.taking.taken
        self.assertEqual(
            (kind, body), (b"application/x-www-form-urlencoded", b"a=b&c=d")
        )
        self.taking.code = 401
        for wrong in (url, "http://127.0.0.1:9/", "gopher://x/"):
            with self.assertRaises(LoginFault):
                await self.post(wrong)

    async def post(self, url):
        return await post_form(reactor, url, b"a=b&c=d")


class SocketTests(WayCase):
    """``lmtp:unix:PATH``."""

    def listen(self, far: FarServer) -> str:
        """Where *far* listens, too."""
        path = os.path.basename(self.mktemp())
        port = reactor.listenUNIX(path, far)
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        return os.path.realpath(path)

    async def test_mail_goes_to_a_socket(self):
        far = self.far()
        path = self.listen(far)
        self.make(allow_private=False)
        results = await self.send("a@x", destination=f"lmtp:unix:{path}")
        self.assertEqual(told(results), [("delivered", "2.0.0")])
        self.assertEqual(far.messages, [MESSAGE])
