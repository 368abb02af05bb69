"""From the settings in force to others."""

from __future__ import annotations

from dataclasses import fields, replace

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.changes import changed, settle
from mailhub.config.kinds import Endpoint
from mailhub.config.schema import TABLES
from mailhub.config.settings import Config, Listen, Log, Server, Store
from mailhub.net.limits import Limits


class SettleTests(SynchronousTestCase):
    """What cannot change while the server runs does not."""

    def test_limits_change_and_folders_do_not(self) -> None:
        old = Config(server=Server(data="/old", host_name="a.example"))
        new = Config(
            server=Server(data="/new", host_name="b.example"),
            store=Store("memory"),
            limits=Limits(idle=100.0),
            listen=Listen(imap=(Endpoint("127.0.0.1", 1),)),
            log=Log(level="debug", format="json"),
            source="/new.toml",
        )
        settled, restart = settle(new, old)
        self.assertEqual(
            restart,
            ["[server] data", "[listen] imap", "[store] kind", "[log] format"],
        )
        self.assertEqual(settled.server, Server(data="/old", host_name="b.example"))
        self.assertEqual((settled.store, settled.listen), (old.store, old.listen))
        self.assertEqual(settled.log, Log(level="debug"))
        self.assertEqual(settled.limits, new.limits)
        self.assertEqual(settled.source, "/new.toml")
        self.assertEqual(
            changed(settled, old),
            ["[server] host_name", "[limits] idle", "[log] level"],
        )

    def test_the_same_settings_change_nothing(self) -> None:
        self.assertEqual(settle(Config(), Config()), (Config(), []))
        self.assertEqual(changed(Config(), Config()), [])

    def test_each_setting_changes_or_is_named(self) -> None:
        for table, described in TABLES.items():
            for field in fields(described.holder):
                other = replace(getattr(Config(), table), **{field.name: object()})
                new = replace(Config(), **{table: other})
                settled, restart = settle(new, Config())
                named = [f"[{table}] {field.name}"]
                self.assertEqual(changed(settled, Config()) + restart, named)
