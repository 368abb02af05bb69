"""Attempts to send: whose answer counts, and where mail goes next."""

from __future__ import annotations

import os

from mailhub.errors import DNSFault
from mailhub.mail.dns import MX, RecordType
from mailhub.mail.envelope import Notify
from mailhub.mail.queued import Outcome
from mailhub.net.descriptors import Capacity
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent

from .far_server import HELLO
from .way_case import DOMAIN, MESSAGE, WayCase, told

TAKEN = [("delivered", "2.0.0")]


class DeliveryTests(WayCase):
    """RFC 5321, section 5.1."""

    async def test_mail_goes_to_the_server_of_its_domain(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        [result] = await self.send()
        self.assertEqual(
            (result.outcome, result.status, result.reply, result.host, result.address),
            (Outcome.DELIVERED, "2.0.0", "250 2.0.0 taken", "mx.far.example",
             "127.0.0.1"),
        )  # fmt: skip
        self.assertEqual(far.messages, [MESSAGE])
        self.assertEqual(
            far.heard,
            [b"EHLO me.example", b"MAIL FROM:<al@x.example> SIZE=%d" % len(MESSAGE),
             b"RCPT TO:<jo@far.example>", b"DATA"],
        )  # fmt: skip

    async def test_without_mx_the_domain_is_its_own_server(self):
        far = self.far()
        self.names.records[DOMAIN] = {RecordType.A: ["127.0.0.1"]}
        self.make(far.port)
        self.assertEqual(told(await self.send()), TAKEN)

    async def test_an_address_literal_is_its_own_server(self):
        far = self.far()
        self.make(far.port)
        results = await self.send("jo@[127.0.0.1]", destination="[127.0.0.1]")
        self.assertEqual(told(results), TAKEN)
        self.assertEqual(self.names.asked, [])

    async def test_each_recipient_has_its_own_result(self):
        far = self.far(replies={
            b"RCPT TO:<NO@": b"550 5.1.1 unknown", b"RCPT TO:<LATER@": b"450 4.2.0 grey"
        })  # fmt: skip
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        names = [f"{each}@{DOMAIN}" for each in ("jo", "no", "later", "al")]
        results = await self.send(*names)
        self.assertEqual(
            told(results),
            [("delivered", "2.0.0"), ("failed", "5.1.1"), ("delayed", "4.2.0"),
             ("delivered", "2.0.0")],
        )  # fmt: skip
        self.assertEqual(results[2].reply, "450 4.2.0 grey")
        self.assertEqual(far.connections, 1)

    async def test_what_is_no_address_comes_back_alone(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(f"a\r\nDATA@{DOMAIN}", f"jo@{DOMAIN}")
        self.assertEqual(told(results), [("failed", "5.1.3"), *TAKEN])
        self.assertNotIn(b"DATA@far.example", b"".join(far.heard))

    async def test_too_many_recipients_go_in_another_transaction(self):
        refusal = b"452 4.5.3 too many"
        answers = [b"250 ok", b"250 ok", refusal, b"250 ok"]
        far = self.far(replies={b"RCPT": answers})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(*(f"u{n}@{DOMAIN}" for n in range(3)))
        self.assertEqual(told(results), TAKEN * 3)
        self.assertEqual((len(far.messages), far.connections), (2, 1))

    async def test_452_for_everybody_is_a_reason_to_wait(self):
        far = self.far(replies={b"RCPT": b"452 4.2.2 full"})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        self.assertEqual(told(await self.send()), [("delayed", "4.2.2")])

    async def test_a_full_mailbox_is_no_crowd(self):
        far = self.far(replies={b"RCPT TO:<FULL": b"452 4.2.2 full"})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(f"jo@{DOMAIN}", f"full@{DOMAIN}")
        self.assertEqual(told(results), [*TAKEN, ("delayed", "4.2.2")])
        self.assertEqual(far.verbs().count(b"MAIL"), 1)

    async def test_a_server_may_say_how_many_it_takes(self):
        """RFC 9422."""
        far = self.far(offers=(*HELLO, b"LIMITS RCPTMAX=2"))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(*(f"u{n}@{DOMAIN}" for n in range(5)))
        self.assertEqual(told(results), TAKEN * 5)
        self.assertEqual(len(far.messages), 3)

    async def test_success_is_ours_to_tell_where_the_server_does_not(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(notify=Notify.SUCCESS)
        self.assertEqual(told(results), [("relayed", "2.0.0")])
        knowing = self.far(2, far.port, offers=(*HELLO, b"DSN"))
        self.exchange((10, "two.far.example", "127.0.0.2"))
        results = await self.send(notify=Notify.SUCCESS)
        self.assertEqual(told(results), TAKEN)
        self.assertIn(b"RCPT TO:<jo@far.example> NOTIFY=SUCCESS", knowing.heard)


class NextServerTests(WayCase):
    """Who says nothing is not the last to be asked."""

    def two(self, **first):
        """Two servers; the first is asked first."""
        one = self.far(1, **first)
        two = self.far(2, one.port)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        self.make(one.port)
        return one, two

    async def goes_on(self, **first):
        one, two = self.two(**first)
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual((one.messages, two.messages), ([], [MESSAGE]))

    async def test_after_a_greeting_that_is_none(self):
        await self.goes_on(replies={b"": b"554 no service"})

    async def test_after_a_connection_that_closes(self):
        await self.goes_on(replies={b"": b""})

    async def test_after_ehlo(self):
        await self.goes_on(replies={b"EHLO": b"421 busy"})

    async def test_after_421_to_mail(self):
        await self.goes_on(replies={b"MAIL": b"421 busy"})

    async def test_after_a_connection_that_closes_at_rcpt(self):
        await self.goes_on(replies={b"RCPT": b""})

    async def test_after_a_connection_that_closes_at_data(self):
        await self.goes_on(replies={b"DATA": b""})

    async def test_after_421_to_the_message(self):
        one, two = self.two(replies={b".": b"421 4.3.2 going"})
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(len(two.messages), 1)

    async def test_after_nonsense(self):
        await self.goes_on(replies={b"": b"SSH-2.0-x"})

    async def test_after_nonsense_in_between(self):
        await self.goes_on(replies={b"RCPT": b"354 go on"})

    async def test_after_a_refused_connection(self):
        two = self.far(2)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        self.make(two.port)
        self.assertEqual(told(await self.send()), TAKEN)

    async def test_after_a_name_without_an_address(self):
        two = self.far(2)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        del self.names.records["one.far.example"]
        self.make(two.port)
        self.assertEqual(told(await self.send()), TAKEN)

    async def test_the_other_address_of_a_server_counts_too(self):
        two = self.far(2)
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.names.records["mx.far.example"] = {
            RecordType.A: ["127.0.0.1", "127.0.0.2"]
        }
        self.make(two.port)
        [result] = await self.send()
        self.assertEqual(result.address, "127.0.0.2")

    async def test_greylisting_is_an_answer(self):
        one, two = self.two(replies={b"RCPT": b"450 4.7.1 come back"})
        [result] = await self.send()
        self.assertEqual(told([result]), [("delayed", "4.7.1")])
        self.assertEqual(result.reply, "450 4.7.1 come back")
        self.assertTrue(result.reached)
        self.assertEqual(two.connections, 0)

    async def test_what_the_first_has_decided_stays(self):
        one, two = self.two(replies={
            b"RCPT TO:<NO@": b"550 5.1.1 unknown", b"DATA": b""
        })  # fmt: skip
        results = await self.send(f"no@{DOMAIN}", f"jo@{DOMAIN}")
        self.assertEqual(told(results), [("failed", "5.1.1"), *TAKEN])
        self.assertEqual(two.heard.count(b"RCPT TO:<no@far.example>"), 0)

    async def test_after_the_end_of_a_message_nobody_else_is_tried(self):
        """It may have been taken: another copy comes later, once."""
        one, two = self.two(replies={b".": b""})
        [result] = await self.send()
        self.assertEqual(told([result]), [("delayed", "4.4.2")])
        self.assertIn("not known", result.reply)
        self.assertEqual((len(one.messages), two.connections), (1, 0))

    async def test_equals_are_asked_in_random_order(self):
        one = self.far(1)
        self.far(2, one.port)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (10, "two.far.example", "127.0.0.2")
        )
        self.make(one.port)
        orders = []
        self.way._by_mx._shuffle = orders.append
        await self.send()
        self.assertEqual(sorted(orders[0]), ["one.far.example", "two.far.example"])


class NoServerTests(WayCase):
    """Where mail cannot go, for good or for now."""

    async def check(self, outcome, status, **more):
        self.make(**more)
        [result] = await self.send()
        self.assertEqual(told([result]), [(outcome, status)], result)
        return result

    async def test_no_such_domain(self):
        await self.check("failed", "5.1.2")

    async def test_a_destination_that_is_nothing(self):
        self.make()
        for destination in ("[x]", "", "a b", "\u00e4"):
            [result] = await self.send(destination=destination)
            self.assertEqual(result.outcome.value, "failed", destination)

    async def test_null_mx(self):
        """RFC 7505."""
        self.names.records[DOMAIN] = {RecordType.MX: [MX(0, "")]}
        await self.check("failed", "5.1.10")

    async def test_no_address(self):
        self.names.records[DOMAIN] = {RecordType.TXT: [b"x"]}
        await self.check("failed", "5.4.4")

    async def test_dns_that_does_not_answer_is_a_reason_to_wait(self):
        """Fault test F9: nothing comes back for that."""
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        for name in (DOMAIN, "mx.far.example"):
            self.names.fail(name, DNSFault("SERVFAIL"))
            result = await self.check("delayed", "4.4.3")
            self.assertEqual((result.host, result.reached), ("", False))
            self.names.recover()

    async def test_half_an_answer_is_no_reason_to_give_up(self):
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        del self.names.records["mx.far.example"][RecordType.A]
        self.names.fail("mx.far.example", DNSFault("no answer"), RecordType.AAAA)
        await self.check("delayed", "4.4.3", families="ipv6")

    async def test_nobody_there(self):
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        far = self.far()
        await far.stop()
        result = await self.check("delayed", "4.4.1", port=far.port)
        self.assertFalse(result.reached)
        self.assertEqual(result.address, "127.0.0.1")

    async def test_a_server_that_takes_no_mail_at_all(self):
        """RFC 7504."""
        far = self.far(replies={b"": b"521 5.3.2 no mail"})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        await self.check("failed", "5.3.2", port=far.port)

    async def test_one_that_has_no_time_is_a_reason_to_wait(self):
        for greeting in (b"554 5.7.1 blocked", b"421 4.3.2 busy"):
            far = self.far(replies={b"": greeting})
            self.exchange((10, "mx.far.example", "127.0.0.1"))
            status = "4" + greeting.decode()[5:9]
            result = await self.check("delayed", status, port=far.port)
            self.assertTrue(result.reached)
            await far.stop()

    async def test_one_that_could_be_talked_to_says_more(self):
        two = self.far(2, replies={b"": b"421 4.3.2 busy"})
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        result = await self.check("delayed", "4.3.2", port=two.port)
        self.assertTrue(result.reached)

    async def test_a_server_that_only_takes_connections_is_none(self):
        far = self.far(replies={b"": b""})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        result = await self.check("delayed", "4.4.2", port=far.port)
        self.assertFalse(result.reached)

    async def test_a_process_without_descriptors_left_waits(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port, capacity=Capacity(0))
        for _ in range(2):
            [result] = await self.send()
            self.assertEqual(result.outcome.value, "delayed")
        self.assertEqual(far.messages, [])

    async def test_sixteen_servers_are_tried_at_most(self):
        """Attack: ten thousand MX records."""
        far = self.far(18)
        hosts = [
            (n, f"mx{n}.far.example", f"127.0.0.{n}") for n in range(1, 19)
        ]
        self.exchange(*hosts)
        result = await self.check("delayed", "4.4.1", port=far.port)
        self.assertEqual(result.address, "127.0.0.1")
        self.assertEqual(far.connections, 0)


class LargeTests(WayCase):
    """Messages that are in a file, as the store has them."""

    def file(self, octets):
        spool = Spool(self.mktemp_folder())
        spool.write(octets)
        content = spool.finish()
        self.addCleanup(content.close)
        self.assertIsNone(content.data)
        return content

    def mktemp_folder(self):
        path = self.mktemp()
        os.makedirs(path)
        return path

    async def test_they_arrive_whole(self):
        far = self.far(offers=(*HELLO[:2], b"CHUNKING"))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        message = MESSAGE + b".a line of some length\r\n" * 100_000
        results = await self.send(content=self.file(message))
        self.assertEqual(told(results), TAKEN)
        self.assertEqual(len(far.messages), 1)
        taken = far.messages[0].replace(b"\r\n..", b"\r\n.")
        self.assertEqual(taken, message)

    async def test_they_are_converted_in_a_thread(self):
        far = self.far(offers=(b"PIPELINING",))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        message = MESSAGE + "grüße\r\n".encode() * 50_000
        results = await self.send(content=self.file(message))
        self.assertEqual(told(results), TAKEN)
        self.assertTrue(far.messages[0].isascii())
        self.assertEqual(far.messages[0].count(b"gr=C3=BC=C3=9Fe"), 50_000)


class ConversionTests(WayCase):
    """What a server cannot read as it is."""

    UTF8 = MESSAGE.replace(b"hello", "grüße".encode())

    async def test_eight_bits_go_where_they_are_known(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        await self.send(content=BytesContent(self.UTF8))
        self.assertEqual(far.messages, [self.UTF8])
        self.assertIn(b" BODY=8BITMIME", far.heard[1])

    async def test_elsewhere_they_are_written_in_seven(self):
        far = self.far(offers=(b"SIZE",))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(content=BytesContent(self.UTF8))
        self.assertEqual(told(results), TAKEN)
        self.assertIn(b"gr=C3=BC=C3=9Fe", far.messages[0])
        self.assertNotIn(b"BODY", far.heard[1])
        self.assertIn(b"SIZE=%d" % len(far.messages[0]), far.heard[1])

    async def test_what_cannot_be_comes_back(self):
        far = self.far(offers=(b"SIZE",))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        message = b"Content-Type: message/partial\r\n\r\n\xc3\xa4\r\n"
        results = await self.send(content=BytesContent(message))
        self.assertEqual(told(results), [("failed", "5.6.3")])
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(far.connections, 1)

    async def test_names_in_utf_8_come_back_where_smtputf8_is_not_there(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(f"jö@{DOMAIN}")
        self.assertEqual(told(results), [("failed", "5.6.7")])

    async def test_the_others_get_it(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        results = await self.send(f"jö@{DOMAIN}", f"jo@{DOMAIN}", f"al@{DOMAIN}")
        self.assertEqual(told(results), [("failed", "5.6.7"), *TAKEN * 2])
        self.assertEqual((len(far.messages), far.connections), (1, 1))

    async def test_what_is_too_large_comes_back_untried(self):
        far = self.far(offers=(b"SIZE 10",))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        self.assertEqual(told(await self.send()), [("failed", "5.3.4")])
        self.assertEqual(far.verbs(), [b"EHLO"])
