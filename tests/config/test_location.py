from __future__ import annotations

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.kinds import quoted
from mailhub.config.location import Lines

DOCUMENT = '''\
# [server] in a comment
top = 1
[server]
data = "a # = [not] a table"  # [neither]
"quoted key" = """
name = 1
[no]
""\\""""
'lit' = \'\'\'
x = 2\'\'\'
[ listen . "deep" ]   # spaces are allowed
a.b . c = 3
ports = [ # comment ]
  "one",
  ["two", 2], # , "three"

  { k = "]" },
]
inline = { a = "}", b = [1, 2] }
date = 1979-05-27T07:32:00Z
[[many]]
z = 1
[[many]]
y = 2'''

EXPECTED = [
    (("top",), 2),
    (("server",), 3),
    (("server", "data"), 4),
    (("server", "quoted key"), 5),
    (("server", "lit"), 9),
    (("listen", "deep"), 11),
    (("listen", "deep", "a", "b", "c"), 12),
    (("listen", "deep", "ports"), 13),
    (("listen", "deep", "ports", 0), 14),
    (("listen", "deep", "ports", 1), 15),
    (("listen", "deep", "ports", 2), 17),
    (("listen", "deep", "inline"), 19),
    (("listen", "deep", "date"), 20),
    (("many", "z"), 22),
    (("many", "y"), 24),
]

KEYS = st.text(min_size=0, max_size=8)
VALUES = st.recursive(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1).map(str),
        st.booleans().map(lambda flag: str(flag).lower()),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(quoted),
        st.sampled_from(
            ["'a\"b'", '"""\n[x]\ny = 1\n"""', "'''\n'k' = 2'''", "1.5", "07:32:00"]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda v: f"[{', '.join(v)}]"),
    max_leaves=5,
)


class LinesTests(SynchronousTestCase):
    """Lines of keys in documents that follow TOML 1.0."""

    def test_every_key_and_array_element_has_its_line(self) -> None:
        tomllib.loads(DOCUMENT)
        lines = Lines(DOCUMENT)
        for path, line in EXPECTED:
            self.assertEqual((path, lines.of(path)), (path, line))

    def test_what_is_not_there_gets_the_line_of_what_is_around_it(self) -> None:
        lines = Lines(DOCUMENT)
        self.assertEqual(lines.of(("server", "missing")), 3)
        self.assertEqual(lines.of(("missing",)), 1)
        self.assertEqual(Lines("").of(("missing",)), 1)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.tuples(KEYS, VALUES), max_size=6))
    def test_any_values_before_a_key_do_not_move_it(self, pairs) -> None:
        text = "[table]\n"
        expected = {}
        for key, value in dict(pairs).items():
            name = quoted(key.encode("utf-8", "replace").decode())
            if tomllib.loads(f"{name} = 0").keys() & expected.keys():
                continue
            expected[tomllib.loads(f"{name} = 0").popitem()[0]] = text.count("\n") + 1
            text += f"{name} = {value}  # = [comment]\n\n"
        lines = Lines(text)
        self.assertEqual(tomllib.loads(text)["table"].keys(), expected.keys())
        for key, line in expected.items():
            self.assertEqual(lines.of(("table", key)), line)

    def test_a_long_document_takes_linear_time(self) -> None:
        text = "[t]\n" + "".join(f'k{n} = ["a", 1, {{x = 2}}]\n' for n in range(20_000))
        self.assertEqual(Lines(text).of(("t", "k19999")), 20_001)
