"""Mail that waits to go out: when it is tried, how much at once, who is told.

A store keeps the queue (:class:`mailhub.interfaces.IQueue`) and lends recipients of
it; :class:`mailhub.queue.scheduler.Scheduler` has them sent by an
:class:`mailhub.interfaces.IWayOut`, and gives each back in one commit with what
became of it and with the notifications that are owed for it (RFC 3461, 3464).

What holds at any time: a recipient's row goes only after the next server's answer
or together with a notification; whoever dies leaves leases that end by themselves;
times of attempts come from :mod:`mailhub.queue.schedule` alone.
"""
