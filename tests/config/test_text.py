from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.kinds import Endpoint
from mailhub.config.settings import Config, Origin, Server, Store
from mailhub.config.text import announcement


class AnnouncementTests(SynchronousTestCase):
    """What is said when the server is ready."""

    ENDPOINTS = (("imap", Endpoint("::1", 143)), ("lmtp", Endpoint(path="/run/l")))

    def said(self, **settings) -> list[str]:
        config = Config(server=Server("/d d"), **settings)
        return announcement(config, "mx.example.org", self.ENDPOINTS).split("\n")

    def test_it_tells_where_and_how(self) -> None:
        self.assertEqual(
            self.said(),
            [
                "mailhub is ready on mx.example.org",
                "    imap         [::1]:143",
                "    lmtp         unix:/run/l",
                "The certificate is its own; clients will ask whether to trust it.",
                "All mail is in /d d",
                "Add a user with: mailhub user add you@example.org",
            ],
        )

    def test_the_command_finds_the_same_configuration(self) -> None:
        source = "/x y.toml"
        in_file = {("server", "data"): Origin(source, 2, "")}
        self.assertEqual(
            self.said(source=source, origins=in_file)[-1],
            "Add a user with: mailhub --config '/x y.toml' user add you@example.org",
        )
        option = {("server", "data"): Origin("--data", None, "")}
        self.assertEqual(
            self.said(origins=option)[-1],
            "Add a user with: mailhub --data '/d d' user add you@example.org",
        )

    def test_a_memory_store_is_told_as_such(self) -> None:
        self.assertEqual(
            self.said(store=Store("memory"))[-2], "Nothing is kept when it stops."
        )
