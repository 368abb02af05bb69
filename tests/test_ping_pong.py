"""Two servers whose notifications could answer each other for ever.

RFC 3834; RFC 5321, sections 4.5.5 and 6.3.  Nothing here answers mail but what a server
says of mail that it could not deliver.
"""

from __future__ import annotations

from .pairs import A, B, Pair
from .servers import MESSAGE

#: Messages that both together may take because of one.
FEW = 8


class PingPongTests(Pair):
    """Postmasters, forwards and lists at each other's server."""

    async def numbers(self) -> tuple[int, int]:
        """How many messages Jo has, at either."""
        return len(await self.inbox(A)), len(await self.inbox(B))

    async def test_postmasters_who_do_not_exist_at_each_other_s_server(self) -> None:
        await self.set_up()
        await self.alias(f"gone@{A}", f"gone@{B}")
        await self.send(f"gone@{A}", f"gone@{A}")
        self.assertEqual((self.taken(), await self.waiting()), (1, 0))

    async def test_postmasters_who_are_each_other(self) -> None:
        await self.set_up()
        await self.alias(f"gone@{A}", f"gone@{B}")
        await self.alias(f"boss@{A}", f"boss@{B}")
        await self.alias(f"boss@{B}", f"boss@{A}")
        await self.send(f"gone@{A}", f"gone@{A}")
        self.assertLessEqual(self.taken(), FEW)

    async def test_a_forward_that_comes_back_is_told_to_its_sender_once(self) -> None:
        await self.set_up()
        await self.alias(f"ring@{A}", f"ring@{B}")
        await self.alias(f"ring@{B}", f"ring@{A}")
        await self.send(f"jo@{B}", f"ring@{A}")
        self.assertLessEqual(self.taken(), FEW)
        self.assertEqual(await self.numbers(), (0, 1))

    async def test_what_was_sent_by_nobody_is_answered_to_nobody(self) -> None:
        """Whatever its header says of who has sent it."""
        await self.set_up()
        await self.alias(f"away@{A}", f"gone@{B}")
        header = f"From: jo@{B}\r\nReply-To: jo@{B}\r\nErrors-To: jo@{B}\r\n"
        await self.send("", f"away@{A}", header.encode() + MESSAGE)
        self.assertEqual(await self.numbers(), (0, 0))

    async def test_who_sends_by_a_program_hears_of_failures_too(self) -> None:
        """RFC 3834, section 2, is about answers; this is none."""
        await self.set_up()
        await self.alias(f"away@{A}", f"gone@{B}")
        header = b"Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
        await self.send(f"jo@{B}", f"away@{A}", header + MESSAGE)
        self.assertEqual(await self.numbers(), (0, 1))
