"""Texts compared without regard to case and to compatible characters."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhub.mail import needle as needle_module
from mailhub.mail.needle import MAX_MARKS, WINDOW, Needle, fold
from mailhub.mail.query import Body

from .candidates import MatchingCase, text_message


class FoldingTests(MatchingCase):
    """Texts that differ in case or in compatible characters are the same."""

    def test_pairs(self) -> None:
        for hay, needle in [
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ПРИВЕТ", "привет"),
            ("Ｆｕｌｌ１", "full1"),
            ("cafe\u0301", "CAFÉ"),
            ("CAFÉ", "cafe\u0301"),
            ("ﾃｽﾄ", "テスト"),
            ("ﬁle", "FI"),
            ("\u212a", "k"),
            ("하\u11abᄀ\u1173ᆯ", "한글"),
        ]:
            self.assertIn(fold(needle), fold(hay))
            self.check(text_message(hay, "utf-8"), [Body(needle)], [])

    def test_a_syllable_is_not_the_beginning_of_another(self) -> None:
        self.check(text_message("사관학교", "utf-8"), [Body("사관")], [Body("사과")])

    def test_an_accent_makes_another_letter(self) -> None:
        self.check(text_message("café", "utf-8"), [Body("CAFÉ")], [Body("cafe")])

    def test_long_texts_are_folded_piece_by_piece(self) -> None:
        for filler in ["가", "가 ", "\ufdfa", "e\u0301"]:
            text = filler * (3 * WINDOW // len(filler))
            for at in [0, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + 1500, len(text)]:
                hay = text[:at] + "하\u11ab글 나비" + text[at:]
                self.assertTrue(Needle("한글 나비").in_text(hay), (filler, at))
            self.assertFalse(Needle("한글 나비").in_text(text), filler)

    def test_a_long_needle_is_found_in_a_longer_text(self) -> None:
        wanted = "나비" * WINDOW
        self.assertTrue(Needle(wanted).in_text("가" * 70_000 + wanted + "가" * 70_000))
        self.assertFalse(Needle(wanted).in_text("나비" * (WINDOW - 1) + "가" * 70_000))

    def test_pieces_are_not_cut_inside_a_letter(self) -> None:
        for at in range(WINDOW - 4, WINDOW + 4):
            text = "가" * at + "e\u0301 " + "가" * 2 * WINDOW
            self.assertFalse(Needle("e").in_text(text))
            self.assertTrue(Needle("é").in_text(text))

    def test_thirty_marks_in_a_row_are_put_in_order_and_no_more(self) -> None:
        for marks in ["\u0316\u0301" * (MAX_MARKS // 2), "\U0001d165" * MAX_MARKS]:
            self.assertNotIn("\u034f", fold("e" + marks))
            self.assertEqual(fold("e" + marks + marks[0]).count("\u034f"), 1)
        self.assertEqual(fold("😀" * 100), "😀" * 100)

    def test_a_hundred_thousand_accents_are_folded_in_one_pass(self) -> None:
        accents = "\u0301\u0316" * 50_000
        self.assertFalse(Needle("x").in_text("e" + accents))
        self.assertTrue(Needle("xé").in_text("e" + accents + "xe\u0301." + accents))

    @settings(deadline=None, max_examples=200)
    @given(st.text(max_size=8))
    def test_folding_twice_changes_nothing(self, text: str) -> None:
        self.assertEqual(fold(fold(text)), fold(text))


class StepTests(MatchingCase):
    """Large texts are looked through in steps, and nothing lies between two."""

    def test_what_lies_across_two_steps_is_found(self) -> None:
        self.patch(needle_module, "STEP", 8)
        for at in range(40):
            hay = b"." * at + b"Word" + b"." * 40
            self.assertTrue(Needle("wORD").in_octets(hay, "utf-8"), at)
            self.assertFalse(Needle("wordy").in_octets(hay, "utf-8"), at)
