"""The house's plan, read from the source: who imports whom, and how much at once.

Every rule here is a function from source text to complaints, and each of them is
tried on a text that breaks it, so that a rule cannot stop working unseen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 500
LONGEST_FUNCTION = 60

#: From the ground up; ``server`` stands for every protocol's ``server``, likewise
#: ``client``.
FLOORS = (
    ("errors", "counting", "mail"),
    ("smtp", "imap", "pop3", "tables"),
    ("interfaces", "powers", "logbook"),
    ("store", "auth", "policy", "net", "watched"),
    ("routing", "queue", "config", "client"),
    ("server", "outbound", "admin", "observing"),
    ("assembly",),
    ("service",),
    ("cli",),
    ("processes",),
    ("tap", "testing"),
)
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}
#: Neighbours on a floor that may be imported all the same.
ALSO_ALLOWED = {("mail", "errors")}
PROTOCOLS = ("smtp", "imap", "pop3")
ENDS = ("server", "client")
PURE = ("errors", "counting", "mail", "tables", *PROTOCOLS)
#: Modules that reach for files, clocks, sockets, threads or the framework.  Pure
#: packages get what they need as arguments.
IMPURE = {
    "asyncio", "concurrent", "fcntl", "getpass", "glob", "io", "logging",
    "multiprocessing", "os", "pathlib", "pickle", "queue", "random", "resource",
    "sched", "secrets", "select", "selectors", "shelve", "shutil", "signal",
    "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "twisted", "zope", "OpenSSL", "cryptography",
}
#: What of those only computes.
HARMLESS = {("io", "IncrementalNewlineDecoder"), ("time", "gmtime")}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCK_CALLS = {"now", "today", "utcnow"}
BANNED_WORDS = {
    "manager", "handler", "processor", "engine", "component", "util", "utils",
    "helper", "helpers", "common",
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True)
class Source:
    """A Python file: its path from the root, and its text."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> tuple[str, ...]:
        """``("mailhub", "imap", "server")``."""
        parts = tuple(self.path.removesuffix(".py").split("/"))
        return parts[:-1] if parts[-1] == "__init__" else parts

    @property
    def part(self) -> str:
        """What of the house this is, in the words of ``FLOORS``."""
        return part_of(self.module)

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def part_of(module: tuple[str, ...]) -> str:
    """The part of the house that ``mailhub.x.y`` belongs to; ``""`` is the root."""
    if len(module) > 2 and module[1] in PROTOCOLS and module[2] in ENDS:
        return module[2]
    return module[1] if len(module) > 1 else ""


def sources(*folders: str) -> list[Source]:
    """All Python files below *folders*."""
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def imports(source: Source) -> Iterator[tuple[ast.stmt, tuple[str, ...]]]:
    """Every module and name that *source* imports anywhere, by its full name."""
    is_package = source.path.endswith("/__init__.py")
    package = source.module if is_package else source.module[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base: tuple[str, ...] = ()
            if node.level:
                base = package[: len(package) - node.level + 1]
            if node.module:
                base += tuple(node.module.split("."))
            for alias in node.names:
                yield node, (*base, alias.name)


def upward_imports(source: Source) -> Iterator[str]:
    """Imports from the own floor or from above it."""
    if source.part == "":
        return
    if source.part not in FLOOR_OF:
        yield f"{source.path}: {source.part!r} stands on no floor of the house"
        return
    for node, name in imports(source):
        other = part_of(name) if name[0] == "mailhub" else ""
        if other in ("", source.part) or (source.part, other) in ALSO_ALLOWED:
            continue
        if FLOOR_OF.get(other, len(FLOORS)) >= FLOOR_OF[source.part]:
            yield (
                f"{source.at(node)}: {source.part} (floor {FLOOR_OF[source.part]})"
                f" imports {'.'.join(name)} (floor {FLOOR_OF.get(other, 'unknown')})"
            )


def impurities(source: Source) -> Iterator[str]:
    """What a pure package may not reach for."""
    if source.part not in PURE:
        return
    for node, name in imports(source):
        if name[0] in IMPURE and name not in HARMLESS:
            yield f"{source.at(node)}: a pure module imports {'.'.join(name)}"
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in IMPURE_CALLS:
                yield f"{source.at(node)}: a pure module calls {called}()"
            case ast.Call(func=ast.Attribute(attr=called)) if called in CLOCK_CALLS:
                yield f"{source.at(node)}: a pure module asks the clock: {called}()"


def global_reactors(source: Source) -> Iterator[str]:
    """Imports of the global reactor but by ``tap``, and by what runs inside trial."""
    if source.part in ("tap", "testing"):
        return
    for node, name in imports(source):
        if name[:3] == ("twisted", "internet", "reactor"):
            yield f"{source.at(node)}: the reactor is an argument; only tap imports it"


def long_files(source: Source) -> Iterator[str]:
    """A file of more lines than one reads in one go."""
    lines = source.text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{source.path}: {lines} lines, more than {LONGEST_FILE}"


def long_functions(source: Source) -> Iterator[str]:
    """Functions that do not fit on a screen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield (
                    f"{source.at(node)}: {node.name}() has {lines} lines,"
                    f" more than {LONGEST_FUNCTION}"
                )


def full_packages(source: Source) -> Iterator[str]:
    """``__init__.py`` files with more than a docstring, or a table of commands."""
    if not source.path.endswith("__init__.py"):
        return
    if ast.get_docstring(source.tree) is None:
        yield f"{source.path}: has no docstring"
        return
    rest = source.tree.body[1:]
    if source.module[-1] == "commands":
        table = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign
        rest = [node for node in rest if not isinstance(node, table)]
    for node in rest:
        yield f"{source.at(node)}: only a docstring or a command table stands here"


def vague_names(source: Source) -> Iterator[str]:
    """Names of modules, classes and functions that say nothing."""
    named = [(source.path, source.module[-1])]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in ast.walk(source.tree):
        if isinstance(node, kinds):
            named.append((source.at(node), node.name))
    for place, name in named:
        words = {word.lower() for word in _WORDS.findall(name)}
        for word in sorted(words & BANNED_WORDS):
            yield f"{place}: {name!r}: {word!r} does not say what it is"


class HouseTests(SynchronousTestCase):
    """The plan is in the docstring of :mod:`mailhub`."""

    def check(self, rule, *folders):
        complaints = [line for source in sources(*folders) for line in rule(source)]
        if complaints:
            self.fail("\n".join([f"{rule.__doc__}", *complaints]))

    def test_imports_point_down(self):
        self.check(upward_imports, "mailhub")

    def test_pure_packages_are_pure(self):
        self.check(impurities, "mailhub")

    def test_the_global_reactor_is_imported_by_tap_only(self):
        self.check(global_reactors, "mailhub")

    def test_files_are_short(self):
        self.check(long_files, "mailhub", "tests", "examples", "benchmarks", "twisted")

    def test_functions_are_short(self):
        self.check(
            long_functions, "mailhub", "tests", "examples", "benchmarks", "twisted"
        )

    def test_packages_are_their_docstring(self):
        self.check(full_packages, "mailhub", "tests")

    def test_names_say_what_things_are(self):
        self.check(vague_names, "mailhub")

    def test_the_floors_are_those_of_the_docstring(self):
        text = (ROOT / "mailhub" / "__init__.py").read_text("utf-8")
        told = {}
        for floor, names in re.findall(r"^    (\d+) +(.+?)   ", text, re.MULTILINE):
            for name in names.split():
                told[name.removeprefix("*/").removesuffix(".py")] = int(floor)
        self.assertEqual(told, FLOOR_OF)

    def test_twisted_s_namespace_packages_stay_namespaces(self):
        for folder in ("twisted", "twisted/plugins"):
            self.assertFalse((ROOT / folder / "__init__.py").exists())


class RuleTests(SynchronousTestCase):
    """Each rule, on a text that breaks it and on one that does not."""

    def complaints(self, rule, path, text):
        return list(rule(Source(path, text)))

    def assert_refused(self, rule, path, *texts):
        for text in texts:
            self.assertEqual(len(self.complaints(rule, path, text)), 1, text)

    def assert_allowed(self, rule, path, *texts):
        for text in texts:
            self.assertEqual(self.complaints(rule, path, text), [], text)

    def test_an_import_from_above_is_found_in_every_spelling(self):
        self.assert_refused(
            upward_imports,
            "mailhub/imap/session.py",
            "from ..store.memory import MemoryStore\n",
            "from .. import interfaces\n",
            "from ..smtp.replies import OK\n",
            "from .server import IMAPConnection\n",
            "import mailhub.net.connection\n",
            "def f():\n    from mailhub.routing import x\n",
            "from ..nowhere import x\n",
        )
        self.assert_refused(
            upward_imports, "mailhub/store/memory.py", "from ..net import spool\n"
        )
        self.assert_refused(upward_imports, "mailhub/unplanned.py", "")

    def test_an_import_from_below_is_not(self):
        self.assert_allowed(
            upward_imports,
            "mailhub/imap/server.py",
            "from ..net.connection import Connection\nfrom .session import Session\n"
            "from ..interfaces import IMailbox\nfrom ..errors import MailError\n",
        )
        text = "from ..errors import MailError\n"
        self.assert_allowed(upward_imports, "mailhub/mail/mailbox.py", text)

    def test_a_pure_module_reaches_for_nothing(self):
        self.assert_refused(
            impurities,
            "mailhub/smtp/session.py",
            "import os\n",
            "import os.path\n",
            "from time import time\n",
            "from twisted.logger import Logger\n",
            "from zope.interface import implementer\n",
            "data = open('x')\n",
            "from datetime import datetime\nnow = datetime.now()\n",
        )
        self.assert_allowed(
            impurities,
            "mailhub/smtp/session.py",
            "import re\nfrom datetime import date\nfrom ..errors import MailError\n",
            "from time import gmtime\n",
        )
        self.assert_allowed(impurities, "mailhub/smtp/server.py", "import time\n")

    def test_the_reactor_is_found_in_every_spelling(self):
        for text in (
            "from twisted.internet import reactor\n",
            "import twisted.internet.reactor\n",
            "def f():\n    from twisted.internet import reactor as r\n",
        ):
            self.assert_refused(global_reactors, "mailhub/net/listen.py", text)
            self.assert_allowed(global_reactors, "mailhub/tap.py", text)

    def test_sizes_are_checked_at_their_limit(self):
        path = "mailhub/x.py"
        self.assert_allowed(long_files, path, "x\n" * LONGEST_FILE)
        self.assert_refused(long_files, path, "x\n" * (LONGEST_FILE + 1))
        fits = "async def f():\n" + "    x\n" * (LONGEST_FUNCTION - 1)
        self.assert_allowed(long_functions, path, fits)
        self.assert_refused(long_functions, path, fits + "    x\n")

    def test_a_package_is_its_docstring(self):
        path = "mailhub/imap/__init__.py"
        self.assert_allowed(full_packages, path, '"""IMAP."""\n')
        self.assert_refused(
            full_packages, path, "", '"""IMAP."""\nx = 1\n', '"""I."""\nimport re\n'
        )
        path = "mailhub/imap/commands/__init__.py"
        self.assert_allowed(full_packages, path, '"""T."""\nimport x\nT = {}\n')
        self.assert_refused(full_packages, path, '"""T."""\ndef f(): pass\n')

    def test_vague_names_are_found_as_words(self):
        path = "mailhub/x.py"
        self.assert_refused(
            vague_names,
            path,
            "class MailManager: pass\n",
            "def line_handler(): pass\n",
            "class IMAPEngine: pass\n",
        )
        self.assert_refused(vague_names, "mailhub/utils.py", "")
        self.assert_allowed(vague_names, path, "def uncommonly_handled(): pass\n")
