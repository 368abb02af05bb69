"""The settings of ``[routing]``."""

from __future__ import annotations

from .kinds import Count, Flag, ListOf, Rewrite, domain_pattern, seconds
from .setting import Setting

_DAY = 86_400

ROUTING = {
    "relay_domains": Setting(
        ListOf(domain_pattern()),
        "Domains that everybody may send to through this server, such as those of"
        ' servers behind it; ".example.org" means all below example.org.  All that this'
        " server has not itself goes on to where DNS or a route says.",
    ),
    "backup_mx": Setting(
        ListOf(domain_pattern()),
        "Domains whose mail waits here while their own servers are away: this server"
        " is one of their MX hosts.",
    ),
    "senders": Setting(
        ListOf(Rewrite()),
        'What addresses of senders become: "@mx.example.org @example.org" hides the'
        ' name of a machine, "@.example.org @example.org" those of all machines of a'
        ' domain, "root@example.org jo@example.org" changes one address.',
    ),
    "senders_in_headers": Setting(
        Flag(),
        "Whether this and the sender_canonical files also change From:, Sender:,"
        " Reply-To: and their like in mail of users and programs of this server, unless"
        " it is signed (DKIM).  Mail from elsewhere always stays as it is.",
    ),
    "recipients": Setting(
        ListOf(Rewrite()),
        "What recipients' addresses become before anything else is looked up, in the"
        " same way.",
    ),
    "tag_is_mailbox": Setting(
        Flag(),
        "user+name@domain is delivered to the user's mailbox of that name, if there is"
        " one.",
    ),
    "programs": Setting(
        Flag(),
        'Whether aliases may start programs ("|program arguments"), which run with the'
        " server's rights.  Forwards of users never do.",
    ),
    "addresses": Setting(
        Count(1, 100_000), "Addresses that one alias may lead to in all."
    ),
    "depth": Setting(Count(1, 100), "Aliases behind aliases."),
    "srs": Setting(
        Flag(),
        "Whether mail from elsewhere that a forward or an alias sends on has a sender"
        " of this server, so that it passes SPF; what bounces comes back to here and"
        " goes on to who has sent it (the Sender Rewriting Scheme).",
    ),
    "srs_lifetime": Setting(
        seconds(_DAY, 1000 * _DAY),
        "How long such a sender takes what bounces, in seconds.",
    ),
}
