"""Tests for :mod:`mailhub.smtp.parameters`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.envelope import (
    DeliverBy,
    MailParameters,
    Notify,
    RecipientParameters,
)
from mailhub.smtp.parameters import (
    MAX_ENVID,
    MAX_ORIGINAL,
    PLAIN,
    BadArguments,
    Extension,
    Terms,
    UnknownParameter,
    decode_xtext,
    mail_parameters,
    rcpt_parameters,
)

#: 2026-11-21 02:01:34 UTC.
NOW = 1_795_226_494
DAY = 86_400
EVERYTHING = ~Extension.NONE
TERMS = Terms(EVERYTHING, NOW, 30 * DAY)

OF_MAIL = (
    (b"", {}),
    (b"RET=full", {"ret": "FULL"}),
    (b"RET=HDRS ENVID=QQ314159", {"ret": "HDRS", "envid": "QQ314159"}),
    (b"ENVID=a+2Bb+3Dc", {"envid": "a+b=c"}),
    (b"ENVID=" + b"x" * MAX_ENVID, {"envid": "x" * MAX_ENVID}),
    (b"HOLDFOR=1", {"hold_until": NOW + 1}),
    (b"HOLDFOR=60 BY=60;R", {
        "hold_until": NOW + 60, "deliver_by": DeliverBy(NOW + 60, True)
    }),
    (b"BY=-999999999;N", {"deliver_by": DeliverBy(NOW - 999_999_999, False)}),
    (b"BY=0;NT", {"deliver_by": DeliverBy(NOW, False, trace=True)}),
    (b"MT-PRIORITY=0", {"priority": 0}),
    (b"MT-PRIORITY=9", {"priority": 9}),
    (b"HOLDFOR=2592000", {"hold_until": NOW + 30 * DAY}),
    (b"HOLDUNTIL=2026-11-22T00:00:00Z", {"hold_until": 1_795_305_600}),
    (b"holduntil=2026-11-22t09:00:00.5+09:00", {"hold_until": 1_795_305_600}),
    (b"HOLDUNTIL=2026-11-21T21:30:00-02:30", {"hold_until": 1_795_305_600}),
    (b"HOLDUNTIL=1970-01-01T00:00:00Z", {"hold_until": 0}),
    (b"BY=120;R", {"deliver_by": DeliverBy(NOW + 120, True)}),
    (b"BY=+1;nt", {"deliver_by": DeliverBy(NOW + 1, False, trace=True)}),
    (b"BY=-60;N", {"deliver_by": DeliverBy(NOW - 60, False)}),
    (b"MT-PRIORITY=-9", {"priority": -9}),
    (b"XVERP", {"verp": "+="}),
    (b"xverp=+=", {"verp": "+="}),
    (b"XVERP=-+ RET=HDRS", {"verp": "-+", "ret": "HDRS"}),
    (b"MT-PRIORITY=6 REQUIRETLS", {"priority": 6, "require_tls": True}),
)
NOT_OF_MAIL = (
    b"HOLDFOR=0", b"HOLDFOR=060", b"HOLDFOR=61 BY=60;N", b"BY=60;R HOLDFOR=61",
    b"HOLDUNTIL=2026-11-22T00:00:00Z BY=60;N", b"MT-PRIORITY=-0", b"MT-PRIORITY=00",
    b"BY=60;RR", b"BY=60;TN", b"BY=60;R,T", b"BY=1000000000;N",
    b"RET", b"RET=BODY", b"ENVID", b"ENVID=+0A", b"ENVID=a+0D+0AX:+201",
    b"ENVID=+C3+A9", b"ENVID=+zz", b"ENVID=+4", b"ENVID=" + b"x" * (MAX_ENVID + 1),
    b"HOLDFOR", b"HOLDFOR=-1", b"HOLDFOR=2592001", b"HOLDFOR=9999999999",
    b"HOLDFOR=1 HOLDUNTIL=2026-11-22T00:00:00Z", b"HOLDUNTIL=2026-11-22",
    b"HOLDUNTIL=2026-13-01T00:00:00Z", b"HOLDUNTIL=0000-01-01T00:00:00Z",
    b"HOLDUNTIL=2026-12-22T00:00:00Z", b"BY", b"BY=5", b"BY=0;R", b"BY=-5;R",
    b"BY=5;X", b"BY=5;RX", b"BY=9999999999;N", b"MT-PRIORITY=10",
    b"XVERP=+", b"XVERP==+", b"XVERP=+=+", b"XVERP=a=", b"RET=+=",
    b"MT-PRIORITY=+1", b"MT-PRIORITY", b"REQUIRETLS=1", b"RET=FULL RET=HDRS",
)  # fmt: skip
OF_RCPT = (
    (b"", {}),
    (b"NOTIFY=NEVER", {"notify": Notify.NEVER}),
    (b"notify=success,Delay", {"notify": Notify.SUCCESS | Notify.DELAY}),
    (b"NOTIFY=FAILURE", {"notify": Notify.FAILURE}),
    (b"ORCPT=rfc822;a@example.com", {"original": "rfc822;a@example.com"}),
    (b"ORCPT=RFC822;a+2Bb@example.com", {"original": "RFC822;a+b@example.com"}),
    (b"ORCPT=x400;/G+3Da/", {"original": "x400;/G=a/"}),
    (b"ORCPT=utf-8;\\x{AC00}@example.com", {"original": "utf-8;가@example.com"}),
    ("ORCPT=UTF-8;가@example.com".encode(), {"original": "UTF-8;가@example.com"}),
)
NOT_OF_RCPT = (
    b"NOTIFY", b"NOTIFY=", b"NOTIFY=NEVER,SUCCESS", b"NOTIFY=SUCCESS,SUCCESS",
    b"NOTIFY=SUCCESS,", b"NOTIFY=ALWAYS", b"ORCPT", b"ORCPT=a@example.com",
    b"ORCPT=;a", b"ORCPT=rfc822;", b"ORCPT=rfc822;a+0D+0AX:+201",
    b"ORCPT=rfc822;a+7F", b"ORCPT=utf-8;\\x{A}", b"ORCPT=utf-8;\\x{0A}",
    b"ORCPT=utf-8;\\x{110000}", b"ORCPT=utf-8;\\x{D800}", b"ORCPT=utf-8;\xff",
    b"ORCPT=utf-8;\\x{202E}", b"ORCPT=rfc822;" + b"x" * (MAX_ORIGINAL - 6),
    b"SIZE=1",
)  # fmt: skip


class ParameterTests(SynchronousTestCase):
    """RFC 3461, section 4; RFC 4865; RFC 2852; RFC 6710; RFC 8689."""

    def test_what_is_offered_is_understood(self):
        for rest, fields in OF_MAIL:
            expected = replace(MailParameters(), **fields)
            self.assertEqual(mail_parameters(rest, TERMS), expected, rest)
        for rest, fields in OF_RCPT:
            expected = replace(RecipientParameters(), **fields)
            self.assertEqual(rcpt_parameters(rest, TERMS), expected, rest)

    def test_what_it_cannot_be_is_refused(self):
        for rest in NOT_OF_MAIL:
            with self.assertRaises(BadArguments, msg=rest):
                mail_parameters(rest, TERMS)
        for rest in NOT_OF_RCPT:
            with self.assertRaises(BadArguments, msg=rest):
                rcpt_parameters(rest, TERMS)

    def test_what_is_not_offered_is_unknown(self):
        for rest, _ in OF_MAIL[1:]:
            self.assertRaises(UnknownParameter, mail_parameters, rest, PLAIN)
        for rest, _ in OF_RCPT[1:]:
            self.assertRaises(UnknownParameter, rcpt_parameters, rest, PLAIN)
        terms = replace(TERMS, offered=EVERYTHING ^ Extension.FUTURE_RELEASE)
        self.assertRaises(UnknownParameter, mail_parameters, b"HOLDFOR=1", terms)
        self.assertEqual(mail_parameters(b"RET=FULL", terms).ret, "FULL")

    @given(st.binary(max_size=60))
    @settings(deadline=None, max_examples=200)
    def test_any_octets_are_read_or_refused(self, octets):
        for parse in (mail_parameters, rcpt_parameters):
            for name in (b"", b"ORCPT=utf-8;", b"ENVID=", b"HOLDUNTIL=", b"BY="):
                try:
                    found = parse(name + octets, TERMS)
                except SyntaxFault:
                    continue
                for value in (
                    getattr(found, "envid", None), getattr(found, "original", None)
                ):
                    self.assertTrue(value is None or value.isprintable())

    @given(st.binary(min_size=1, max_size=40))
    @settings(deadline=None, max_examples=100)
    def test_xtext_comes_back(self, octets):
        text = b"".join(b"+%02X" % octet for octet in octets)
        self.assertEqual(decode_xtext(text), octets)
