"""Tests for DNS messages."""

from __future__ import annotations

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.dns import MX, TLSA, RecordType
from mailhub.net.dns_message import (
    MAX_POINTERS,
    MAX_RECORDS,
    READERS,
    Code,
    Reply,
    decode_reply,
    encode_name,
    encode_query,
    encode_question,
    is_reply_to,
)

from .dns_wire import (
    AUTHENTIC,
    TRUNCATED,
    address,
    cname,
    mx,
    record,
    reply,
    soa,
    txt,
)

NAME = "far.example"


def question(kind=RecordType.A, name=NAME):
    return encode_question(encode_name(name), kind)


def query(kind=RecordType.A, name=NAME):
    return encode_query(4711, question(kind, name))


def decode(message, kind=RecordType.A, name=NAME):
    return decode_reply(message, question(kind, name))


class QuestionTests(SynchronousTestCase):
    """RFC 1035, sections 3.1 and 4.1; RFC 6891; RFC 6840, section 5.7."""

    def test_a_question_is_understood_by_others(self):
        message = dns.Message()
        message.fromStr(query(RecordType.TLSA, "_25._tcp.mx.far.example"))
        self.assertEqual(message.id, 4711)
        self.assertEqual((message.recDes, message.authenticData), (1, 1))
        [asked] = message.queries
        self.assertEqual(asked.name.name, b"_25._tcp.mx.far.example")
        self.assertEqual((asked.type, asked.cls), (52, dns.IN))
        [option] = message.additional
        self.assertEqual((option.type, option.cls), (41, 1232))

    def test_it_can_do_without_edns(self):
        message = encode_query(1, question(), edns=False)
        self.assertEqual(message[10:12], b"\0\0")
        self.assertTrue(message.endswith(question()))

    def test_names_have_their_limits(self):
        longest = ".".join(["a" * 63] * 3 + ["a" * 61])
        self.assertEqual(len(encode_name(longest)), 255)
        for name in (
            longest + "a", "a" * 64, ".", "a..b", ".a", "a.", "a b", "a\\b", "a\0b",
            "b\u00fccher.example", "a" * 300, "a.\r\n",
        ):  # fmt: skip
            with self.assertRaises(SyntaxFault, msg=name):
                encode_name(name)
        self.assertEqual(encode_name(""), b"\0")
        self.assertEqual(encode_name("A-1._b"), b"\x03A-1\x02_b\0")


class OurAnswerTests(SynchronousTestCase):
    """Attack: answers to what was not asked, by whoever guesses."""

    def assert_ignored(self, message):
        self.assertFalse(is_reply_to(message, 4711, question()))

    def test_an_answer_with_our_number_and_question_is_ours(self):
        self.assertTrue(is_reply_to(reply(query()), 4711, question()))

    def test_another_number_another_question_or_a_question_is_ignored(self):
        good = reply(query())
        self.assert_ignored(b"\0\1" + good[2:])
        self.assert_ignored(reply(query(RecordType.MX)))
        self.assert_ignored(reply(query(name="near.example")))
        self.assert_ignored(query())
        self.assert_ignored(good[:2] + b"\x89" + good[3:])  # another opcode
        self.assert_ignored(good[:4] + b"\0\2" + good[6:])  # two questions

    def test_the_question_in_another_case_is_ignored(self):
        good = reply(query())
        self.assert_ignored(good.replace(b"\x03far", b"\x03faR"))

    def test_no_prefix_is_ours(self):
        good = reply(query())
        for length in range(len(good)):
            self.assert_ignored(good[:length])


class AnswerTests(SynchronousTestCase):
    """RFC 1035, sections 3.3 and 4.1.3."""

    def test_the_records_of_each_type(self):
        for kind, data, value in (
            (RecordType.A, b"\xc0\0\2\1", "192.0.2.1"),
            (RecordType.AAAA, b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1", "2001:db8::1"),
            (RecordType.MX, b"\0\x0a\2mx\xc0\x0c", MX(10, "mx.far.example")),
            (RecordType.MX, b"\0\0\0", MX(0, "")),
            (RecordType.TXT, b"\3v=1\0\2;x", b"v=1;x"),
            (RecordType.TXT, b"", b""),
            (RecordType.NS, b"\2NS\xc0\x0c", "ns.far.example"),
            (RecordType.PTR, b"\1h\xc0\x10", "h.example"),
            (RecordType.TLSA, b"\3\1\1" + bytes(32), TLSA(3, 1, 1, bytes(32))),
            (RecordType.CNAME, b"\1c\xc0\x0c", "c.far.example"),
        ):
            answer = reply(query(kind), record(b"\xc0\x0c", kind, data, ttl=77))
            self.assertEqual(
                decode(answer, kind), Reply(0, False, False, NAME, (value,), 77, 0)
            )

    def test_contents_of_another_length_are_refused(self):
        for kind, data in (
            (RecordType.A, b"\1\2\3"),
            (RecordType.A, b"\1\2\3\4\5"),
            (RecordType.AAAA, b"\1" * 15),
            (RecordType.MX, b"\0\1"),
            (RecordType.MX, b"\0\1\xc0\x0c\0"),
            (RecordType.TXT, b"\4abc"),
            (RecordType.TLSA, b"\3\1"),
            (RecordType.CNAME, b"\1c\xc0\x0c\0"),
        ):
            with self.assertRaises(SyntaxFault, msg=(kind, data)):
                decode(reply(query(kind), record(b"\xc0\x0c", kind, data)), kind)

    def test_several_records_have_the_least_ttl(self):
        answer = reply(query(), address(NAME, "192.0.2.1", 60), address(NAME, "::1"),
                       address(NAME, "192.0.2.2", 30))  # fmt: skip
        decoded = decode(answer)
        self.assertEqual(decoded.records, ("192.0.2.1", "192.0.2.2"))
        self.assertEqual(decoded.ttl, 30)

    def test_a_negative_ttl_is_zero(self):
        answer = reply(query(), address(NAME, "192.0.2.1", 1 << 31))
        self.assertEqual(decode(answer).ttl, 0)

    def test_the_code_has_its_upper_bits_in_edns(self):
        option = b"\0" + struct.pack("!HHIH", 41, 1232, 1 << 24, 0)
        self.assertEqual(decode(reply(query(), extra=option)).code, Code.BADVERS)
        self.assertEqual(decode(reply(query(), code=2)).code, Code.SERVFAIL)

    def test_flags_are_told(self):
        self.assertTrue(decode(reply(query(), flags=AUTHENTIC)).authentic)
        self.assertFalse(decode(reply(query())).authentic)
        cut_off = decode(reply(query(), flags=TRUNCATED)[:-3] + b"\0\1\0")
        self.assertTrue(cut_off.truncated)

    def test_names_in_odd_letters_cannot_be_mistaken_for_others(self):
        host = b"\0\1\7a.b\r\n\\\xe4\xc0\x0c"
        answer = reply(query(RecordType.MX), record(NAME, RecordType.MX, host))
        [found] = decode(answer, RecordType.MX).records
        self.assertEqual(found.host, r"a\046b\013\010\092\228.far.example")
        self.assertRaises(SyntaxFault, encode_name, found.host)


class ChainTests(SynchronousTestCase):
    """RFC 1034, section 3.6.2."""

    def test_a_cname_is_followed_in_any_order(self):
        records = [
            address("c.example", "192.0.2.1", 50),
            cname("b.example", "C.example", 40),
            cname(NAME, "b.example", 60),
        ]
        decoded = decode(reply(query(), *records))
        self.assertEqual(
            decoded, Reply(0, False, False, "c.example", ("192.0.2.1",), 40, 2)
        )

    def test_a_cname_that_was_asked_for_is_not(self):
        answer = reply(query(RecordType.CNAME), cname(NAME, "b.example"))
        decoded = decode(answer, RecordType.CNAME)
        self.assertEqual((decoded.name, decoded.records), (NAME, ("b.example",)))

    def test_rings_of_cnames_come_to_an_end(self):
        for ring in (
            [cname(NAME, NAME)],
            [cname(NAME, "b.example"), cname("b.example", NAME)],
        ):
            self.assertEqual(decode(reply(query(), *ring)).records, ())

    def test_records_of_names_nobody_asked_for_are_passed_over(self):
        decoded = decode(
            reply(query(), address("bank.example", "192.0.2.66"),
                  cname("other.example", "bank.example"),
                  extra=address(NAME, "192.0.2.66"))
        )  # fmt: skip
        self.assertEqual((decoded.name, decoded.records), (NAME, ()))

    def test_records_of_another_class_are_passed_over(self):
        chaos = encode_name(NAME) + struct.pack("!HHIH", 1, 3, 9, 4) + b"\1\2\3\4"
        self.assertEqual(decode(reply(query(), chaos)).records, ())


class NegativeTests(SynchronousTestCase):
    """RFC 2308, section 5."""

    def ttl(self, authority, *answers):
        return decode(reply(query(), *answers, code=3, authority=authority)).ttl

    def test_the_soa_says_how_long_there_is_nothing(self):
        self.assertEqual(self.ttl(soa("example", 60)), 60)
        self.assertEqual(self.ttl(soa("far.example", 900, ttl=10)), 10)
        self.assertEqual(self.ttl(soa("", 60)), 60)

    def test_without_one_nobody_knows(self):
        self.assertEqual(self.ttl(b""), 0)

    def test_that_of_another_zone_says_nothing(self):
        self.assertEqual(self.ttl(soa("near.example", 60)), 0)
        self.assertEqual(self.ttl(soa("ar.example", 60)), 0)

    def test_it_is_that_of_where_cnames_lead_to(self):
        link = cname(NAME, "b.test", ttl=20)
        self.assertEqual(self.ttl(soa("example", 60), link), 0)
        self.assertEqual(self.ttl(soa("test", 60), link), 20)

    def test_a_chain_that_ends_with_a_name_nothing_is_said_of_is_not_complete(self):
        link = cname(NAME, "b.test", ttl=20)
        decoded = decode(reply(query(), link))
        self.assertEqual((decoded.complete, decoded.name), (False, "b.test"))
        self.assertEqual(decoded.ttl, 20)
        for answer in (
            reply(query(), link, address("b.test", "192.0.2.1")),
            reply(query(), link, authority=soa("test", 60)),
            reply(query(), link, code=3),
            reply(query()),
        ):
            self.assertTrue(decode(answer).complete)

    def test_a_damaged_one_is_refused(self):
        damaged = record("example", RecordType.SOA, b"\0\0" + b"\1" * 19)
        self.assertRaises(SyntaxFault, self.ttl, damaged)


class AttackTests(SynchronousTestCase):
    """Answers as weapons: each is refused, or costs no more than its length."""

    def refused(self, message, kind=RecordType.A):
        self.assertRaises(SyntaxFault, decode, message, kind)

    def test_compression_pointers_in_a_ring_end(self):
        start = 12 + len(question())
        for pointer in (start, start + 2, 0x3FFF):
            owner = struct.pack("!H", 0xC000 | pointer)
            self.refused(reply(query(), record(owner, 1, b"\1\2\3\4")))

    def test_a_name_that_runs_into_its_own_pointer_ends(self):
        start = 12 + len(question())
        owner = b"\1a" + struct.pack("!H", 0xC000 | start)
        self.refused(reply(query(), record(owner, 1, b"\1\2\3\4")))

    def test_pointers_to_pointers_have_a_limit(self):
        kind = RecordType.TXT
        first = 12 + len(question(kind)) + len(encode_name(NAME)) + 10
        for count, fits in ((MAX_POINTERS - 1, True), (MAX_POINTERS, False)):
            # Each points to the one before it, the first to the question's name.
            targets = [12] + [first + 2 * i for i in range(count - 1)]
            chain = b"".join(struct.pack("!H", 0xC000 | each) for each in targets)
            last = struct.pack("!H", 0xC000 | first + 2 * (count - 1))
            holder = record(NAME, 99, chain)
            message = reply(query(kind), holder, record(last, kind, b"\1x"))
            if fits:
                self.assertEqual(decode(message, kind).records, (b"x",))
            else:
                self.refused(message, kind)

    def test_a_name_that_grows_by_pointers_has_a_limit(self):
        kind = RecordType.TXT
        first = 12 + len(question(kind)) + len(encode_name(NAME)) + 10
        label = b"\x3f" + b"a" * 63
        for labels, fits in ((3, True), (4, False)):
            holder = record(NAME, 99, label * labels + b"\xc0\x0c")
            owner = struct.pack("!H", 0xC000 | first)
            message = reply(query(kind), holder, record(owner, kind, b""))
            if fits:
                self.assertEqual(decode(message, kind).records, ())
            else:
                self.refused(message, kind)

    def test_the_longest_txt_is_read(self):
        kind = RecordType.TXT
        message = reply(query(kind), txt(NAME, *[b"x" * 255] * 254))
        [found] = decode(message, kind).records
        self.assertEqual(len(found), 254 * 255)

    def test_records_have_a_limit(self):
        kind = RecordType.MX
        records = [mx(b"\xc0\x0c", n, "") for n in range(MAX_RECORDS)]
        decoded = decode(reply(query(kind), *records), kind)
        self.assertEqual(len(decoded.records), MAX_RECORDS)
        self.refused(reply(query(kind), *records, records[0]), kind)

    def test_a_chain_as_long_as_the_limit_is_followed(self):
        names = [f"{n}.example" for n in range(MAX_RECORDS)]
        links = [cname(*pair) for pair in zip(names, names[1:], strict=False)]
        decoded = decode(reply(query(name=names[0]), *links), name=names[0])
        self.assertEqual(decoded.links, MAX_RECORDS - 1)

    def test_the_most_laborious_message_is_read(self):
        # Every owner has as many labels as fit, behind as many pointers.
        kind = RecordType.TXT
        deep = "a." * 120 + "example"
        records = [record(b"\xc0\x0c", kind, b"")] * MAX_RECORDS
        decoded = decode(reply(query(kind, deep), *records), kind, deep)
        self.assertEqual(len(decoded.records), MAX_RECORDS)

    def test_every_prefix_is_refused(self):
        kind = RecordType.MX
        whole = reply(
            query(kind), cname(NAME, "b.example"), mx("b.example", 10, "mx.example"),
            authority=soa("example", 60), extra=address("mx.example", "192.0.2.1"),
        )  # fmt: skip
        for length in range(12 + len(question(kind)), len(whole)):
            self.refused(whole[:length], kind)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200), st.sampled_from(sorted(READERS)), st.integers(0, 9))
    @example(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4", 1, 1)
    def test_noise_is_refused_or_read(self, noise, kind, count):
        asked = query(kind)
        header = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, count, count, count)
        try:
            decoded = decode(header + question(kind) + noise, kind)
        except SyntaxFault:
            return
        self.assertIsInstance(decoded, Reply)

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_damage_is_refused_or_read(self, data):
        kind = RecordType.MX
        whole = bytearray(
            reply(query(kind), mx(b"\xc0\x0c", 10, "mx.example"),
                  authority=soa("example", 60))
        )  # fmt: skip
        start = 12 + len(question(kind))
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(start, len(whole) - 1))
            whole[place] = data.draw(st.integers(0, 255))
        try:
            decode(bytes(whole), kind)
        except SyntaxFault:
            return
