"""Options as sendmail has them: one letter, and a value behind some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from ..outcome import Exit, Failure


class Takes(Enum):
    """What follows an option's letter."""

    NOTHING = auto()
    #: In the same word, or else the next one.
    VALUE = auto()
    #: In the same word, or it has none.
    REST = auto()


def read(
    arguments: Sequence[str], letters: dict[str, Takes], *, mixed: bool = False
) -> tuple[list[tuple[str, str]], list[str]]:
    """Options as letter and value, in their order, and the other arguments.

    :param mixed: whether options may follow other arguments.
    :raises Failure: an unknown option, or one without its value.
    """
    found: list[tuple[str, str]] = []
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            others.append(word)
            if not mixed:
                break
            continue
        found += _of_word(word[1:], words, letters)
    return found, [*others, *words]


def _of_word(
    word: str, words: Iterator[str], letters: dict[str, Takes]
) -> Iterator[tuple[str, str]]:
    while word:
        letter, word = word[0], word[1:]
        match letters.get(letter):
            case Takes.NOTHING:
                yield letter, ""
            case Takes.REST:
                yield letter, word
                return
            case Takes.VALUE:
                value = word or next(words, None)
                if value is None:
                    raise Failure(Exit.USAGE, f"option -{letter} needs a value")
                yield letter, value
                return
            case None:
                raise Failure(Exit.USAGE, f"no such option: -{letter}")
