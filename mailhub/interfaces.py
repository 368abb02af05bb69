"""The seams of mailhub: what an application may replace, and nothing else.

Methods marked *async* return an awaitable (a coroutine, or a ``Deferred``); one
that has its answer at hand returns without suspending, and that costs almost
nothing.  They raise :class:`mailhub.errors.MailError` kinds; any other exception
is a bug and reaches the peer as a temporary failure only.

All methods are called on the reactor thread.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IContent(Interface):
    """The octets of a message, which may be too many for memory."""

    size = Attribute("int: octets.")
    digest = Attribute("bytes: SHA-256 of the octets (32 bytes).")
    path = Attribute(
        "str | None: a file that holds exactly these octets.  A store may link(2)"
        " to it; it must not rename or change it."
    )

    data = Attribute(
        "bytes | None: all octets, where they are in memory anyway."
    )

    def read(start, stop):
        """*async* -> ``bytes``: the octets ``[start, stop)``, cut at the end.

        Ask for 256 KiB at most at a time: reading may block for a disk.
        """

    def close():
        """Free what the content holds (a temporary file).  Twice is harmless."""


class ISpool(Interface):
    """A message while it arrives: small in memory, large in a file."""

    size = Attribute("int: octets written so far.")
    in_memory = Attribute(
        "int: octets that stay in memory, of a message that has no more; may be set"
        " before any are written."
    )

    def write(data):
        """Add octets.

        :raises mailhub.errors.StorageFull: the volume is full; the spool is
            useless after this, and ``close()`` is still due.
        """

    def finish():
        """-> ``IContent``.  Nothing is written after this."""

    def close():
        """Throw away what was written, unless ``finish()`` gave it away."""


class IDirectory(Interface):
    """Who is here: domains, accounts, aliases.

    Addresses are canonical: lower case, full (``user@domain``).  Methods that
    change something return after it is durable.
    """

    def version():
        """-> an ``int`` that is another after each change of what is answered here,
        by whichever process; or ``None`` where that is not known.

        What was concluded from answers may be kept while it stays the same.

        :raises mailhub.errors.LocalFault: it cannot be read now.
        """

    def is_local_domain(domain):
        """*async* -> ``bool``."""

    def find_account(address):
        """*async* -> :class:`mailhub.mail.account.Account`, or ``None``."""

    def find_alias(address):
        """*async* -> :class:`mailhub.mail.account.Alias`, or ``None``."""

    def domains():
        """*async* -> ``list[str]``, sorted."""

    def accounts():
        """*async* -> ``list[Account]``, sorted by address."""

    def aliases():
        """*async* -> ``list[Alias]``, sorted by address."""

    def add_domain(domain):
        """*async* -> ``bool``: whether it is new."""

    def remove_domain(domain):
        """*async* -> ``bool``: whether it was there.

        :raises mailhub.errors.NotPermitted: accounts of the domain exist.
        """

    def add_account(address, password, quota=None):
        """*async* -> ``Account``, with INBOX and the special mailboxes.

        *password* is a ``{SCHEME}`` hash.  The domain becomes local with it.

        :raises mailhub.errors.MailboxExists: the address is taken.
        """

    def remove_account(address):
        """*async* -> ``bool``.  All its mail goes with it."""

    def set_password(address, password, expected=None):
        """*async* -> ``bool``: whether there is such an account.

        :param expected: the hash that is replaced; where the account has another
            one by now, that stays and the answer is ``False``.
        """

    def set_alias(address, targets):
        """*async*.  Makes or replaces the alias; *targets* are addresses."""

    def remove_alias(address):
        """*async* -> ``bool``: whether it was there."""


class IAtomicDirectory(Interface):
    """What an ``IDirectory`` may provide besides: several changes as one."""

    def perform(work):
        """*async* -> what the coroutine function *work* returns.

        It is called, perhaps in another thread, with an ``IDirectory`` and waits for
        nothing else.  All of its changes become durable together, or none where it
        raises.
        """


class IMailStore(Interface):
    """A backend: accounts, durable delivery, and the changes of others."""

    directory = Attribute("``IDirectory``: who is here.")

    def start():
        """*async*.  Opens; refuses a store it cannot serve with a clear text."""

    def stop():
        """*async*.  Finishes what was begun, then closes."""

    def open_account(address):
        """*async* -> ``IMailAccount``.

        :raises mailhub.errors.UnknownRecipient: no such account.
        """

    def deliver(delivery):
        """*async*.  Returns after the message is durable in every target.

        Takes a :class:`mailhub.mail.account.Delivery`.  Work that waits at the
        same time is committed together, with one flush.

        -> ``list[Lease]`` (:mod:`mailhub.mail.queued`): of what it put into the queue
        for a keeper who sends at once.

        :raises mailhub.errors.OverQuota: a target is full; none was served.
        :raises mailhub.errors.UnknownRecipient: an account has gone.
        :raises mailhub.errors.LocalFault: nothing was stored; try again later.
        """

    def spool():
        """-> ``ISpool`` on the store's own volume."""


class IQueue(Interface):
    """Mail that waits to go out: of an ``IMailStore`` that has one, its ``queue``.

    Put in by ``IMailStore.deliver()``.  Values are those of :mod:`mailhub.mail.queued`.
    What changes something returns after it is durable.  Any process may ask, on any
    machine that shares the store; what one has a lease of, no other gets.
    """

    def ready(now, limit):
        """*async* -> ``list[Backlog]``: up to *limit* destinations for which
        something is due and neither lent nor held, the longest waiting first.
        """

    def lease(destination, limit, keeper, now, until):
        """*async* -> ``list[Lease]``: up to *limit* recipients that are due.

        By priority first (RFC 6710); among equals fair to senders: who has much
        waiting does not keep others waiting.  Recipients of one message come together,
        100 at most in one lease.
        """

    def renew(lease, until):
        """*async* -> the ``Lease`` up to *until*; ``None``: it is another's by now."""

    def settle(lease, settlements, deliveries=()):
        """*async* -> ``bool``: whether the lease was still the caller's; if not,
        nothing has changed.

        One commit: the recipients' rows as the ``Settlement`` of each says, all of the
        lease's or some, and new messages (``Delivery``: notifications; nobody is their
        keeper).  A recipient without a settlement stays lent.
        """

    def free(keeper, begun=()):
        """*async* -> ``int``: recipients that were lent to *keeper*, and are due again.

        Of a keeper who is dead for certain.

        :param begun: tokens of those leases that it was doing something for when it
            died: each of their recipients has one more of ``Waiting.faults``.
        """

    def hasten(latest, now):
        """*async* -> ``int``: recipients that were to wait beyond *latest*, though not
        by the wish of their sender (RFC 4865), and are due *now*.
        """

    def next_due(now):
        """*async* -> when the next becomes due after *now*, or ``None``.

        What is lent becomes due when its lease ends.
        """

    def open(message_id):
        """*async* -> ``IContent``: all octets of a message; the caller closes it.

        :raises mailhub.errors.NoSuchMessage: it has gone.
        """

    def entries(selection, limit, after=0):
        """*async* -> ``list[Entry]``, by ``message_id``, of those above *after*.

        :param selection: a :class:`mailhub.mail.queue_list.Selection`.
        """

    def alter(selection, alteration, now):
        """*async* -> ``int``: recipients that were changed, those lent included.

        :param alteration: a :class:`mailhub.mail.queue_list.Alteration`.
        """

    def ages(now, bounds):
        """*async* -> ``list[AgeRow]``: per destination how many recipients wait, by
        age: a count for each of the ascending *bounds* in seconds, and those older.
        """

    def watch(callback):
        """Call ``callback()`` on the reactor after each commit, by whichever process,
        that made something due.  Returns a function that ends it.
        """


class IWayOut(Interface):
    """How mail leaves: to an MX, a smart host, a function."""

    def send(lease, content):
        """*async* -> ``list[Result]``: one for each recipient of the lease, in order.

        One attempt; whatever goes wrong is a result, and what is not known (the other
        server's last reply was not seen) is ``DEFERRED``.

        :param lease: a :class:`mailhub.mail.queued.Lease`.
        :param content: ``IContent``: all octets; the caller closes it.
        """

    def stop():
        """*async*.  End idle connections."""


class IResolver(Interface):
    """DNS.  Values are those of :mod:`mailhub.mail.dns`.

    Names are text, A-labels, with or without the final dot; answers are in lower case
    without it.
    """

    def query(name, kind):
        """*async* -> ``Answer``: the records of one ``RecordType``, behind CNAMEs.

        No such records is an answer without records.

        :raises mailhub.errors.NoSuchDomain: the name does not exist.
        :raises mailhub.errors.DNSFault: nobody could tell (a timeout, SERVFAIL).
        """


class IMeasuredStore(Interface):
    """What an ``IMailStore`` may provide besides: it tells how it works."""

    path = Attribute("str: a directory on the volume that it writes to.")
    measures = Attribute(":class:`mailhub.store.measures.Measures`")

    def log_octets():
        """Octets of the write-ahead log on the disk."""

    def check_room(octets, reserve):
        """Whether a message of so many octets would leave *reserve* octets free.

        :raises mailhub.errors.StorageFull: it would not.
        :raises mailhub.errors.LocalFault: that cannot be known now.
        """

    def probe():
        """Coroutine.  Make something durable, unless that was done just now.

        :raises mailhub.errors.LocalFault: nothing can be stored now.
        """


class IMailAccount(Interface):
    """The avatar of IMAP and POP3: one account's mailboxes.

    Names are ``str`` with ``/`` between levels, already canonical (see
    :func:`mailhub.mail.mailbox.canonical_name`).
    """

    address = Attribute("str: the canonical login name.")

    def mailboxes():
        """*async* -> ``list[MailboxInfo]``, sorted by name; INBOX is there."""

    def open(name, read_only=False):
        """*async* -> ``IMailbox``.

        :raises mailhub.errors.NoSuchMailbox: or only a parent of others.
        """

    def status(name):
        """*async* -> :class:`mailhub.mail.mailbox.MailboxStatus`."""

    def create(name, special_use=None):
        """*async*.  Makes missing parents, too.

        :raises mailhub.errors.MailboxExists:
        """

    def delete(name):
        """*async*.

        A mailbox with children stays as their parent, without its messages.

        :raises mailhub.errors.NotPermitted: INBOX.
        :raises mailhub.errors.NoSuchMailbox:
        """

    def rename(name, new_name):
        """*async*.  Children move along; renaming INBOX moves its messages
        into a new mailbox and leaves INBOX empty (RFC 3501, section 6.3.5).
        """

    def subscribe(name):
        """*async*.  The mailbox need not exist."""

    def unsubscribe(name):
        """*async*."""

    def append(name, messages):
        """*async* -> :class:`mailhub.mail.mailbox.Copied`: all or none.

        *messages*: list of ``(IContent, Flags, internal_date)``.

        :raises mailhub.errors.OverQuota:
        :raises mailhub.errors.NoSuchMailbox:
        """

    def lock_maildrop():
        """*async* -> a function that releases the lock.

        Exclusive among all sessions in all processes (RFC 1939, section 4).

        :raises mailhub.errors.MailboxInUse:
        """

    def logout():
        """Frees what the avatar holds; cred calls it when the session ends."""


class IMailbox(Interface):
    """An open mailbox.

    It keeps no view of its own: sessions hold the UIDs they have told their
    client of, and catch up with ``changes()``.
    """

    name = Attribute("str")
    uidvalidity = Attribute("int: 1 .. 2**32-1.")
    read_only = Attribute("bool")

    def status():
        """*async* -> :class:`mailhub.mail.mailbox.MailboxStatus`."""

    def changes(since):
        """*async* -> :class:`mailhub.mail.mailbox.Changes` after modseq *since*;
        0 gives every message.
        """

    def claim_recent():
        """*async* -> ``int``: messages from this UID on are recent for the
        caller, and for nobody who asks after it.
        """

    def watch(callback):
        """Call ``callback()`` on the reactor after each commit, by whichever
        process, that changed this mailbox.  Returns a function that ends it.
        """

    def fetch(uids, columns):
        """*async* -> ``list[tuple]``: ``(uid, *values)`` in UID order.

        *uids*: ascending sequence; *columns*: tuple of
        :class:`mailhub.mail.mailbox.Column`.  Messages that have gone are left
        out.  Callers ask for some hundred at a time.
        """

    def set_flags(uids, change, flags):
        """*async* -> ``Changes`` holding the messages as they are now.

        *change*: :class:`mailhub.mail.flags.FlagChange`.

        :raises mailhub.errors.LimitReached: too many keywords.
        """

    def copy(uids, target):
        """*async* -> ``Copied``: all or none (RFC 3501, section 6.4.7).

        *target*: a mailbox name of the same account.
        """

    def move(uids, target):
        """*async* -> ``Copied``: in one commit (RFC 6851)."""

    def expunge(uids, deleted_only=True):
        """*async* -> ``list[int]``: the UIDs that have gone by this, ascending.

        ``deleted_only`` spares those without ``\\Deleted``.
        """

    def search(query):
        """*async* -> ``list[int]``: UIDs, ascending.

        *query*: a :data:`mailhub.mail.query.Query`.  Always right: text compares
        after decoding of MIME and character sets, without regard to case.
        """


class ISubmission(Interface):
    """The avatar of SMTP and LMTP: what becomes of mail.

    One avatar may serve many transactions, also at the same time; everything
    about one is in its :class:`mailhub.mail.envelope.Envelope`.  Refusing is
    raising a :class:`mailhub.errors.MailError`.
    """

    def sender(envelope):
        """*async*.  After MAIL: may this peer, as this sender, send?"""

    def recipient(envelope, address):
        """*async*.  After RCPT: is this address ours, or may it be reached?

        ``envelope.recipients`` holds those accepted before.
        """

    def message(envelope, content):
        """*async* -> ``list[MailError | None]``, one per recipient in order.

        Returns after what it accepts is durable.  Unless
        ``envelope.one_by_one``, all are ``None`` or the method raises.
        """


class ICheck(Interface):
    """A check of mail, asked at up to four moments.

    Each moment returns :class:`mailhub.policy.check.Verdict` and writes nothing.
    """

    name = Attribute("str: for logs and configuration.")

    def connection(peer):
        """*async* -> ``Verdict``."""

    def sender(envelope):
        """*async* -> ``Verdict``."""

    def recipient(envelope, address):
        """*async* -> ``Verdict``."""

    def message(envelope, content):
        """*async* -> ``Verdict``."""
