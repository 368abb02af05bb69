"""Measures mailhub beside other mail servers, and the machine below them all.

``python -m benchmarks`` from the checkout prepares what it needs, runs every
workload against every server in turns, and writes one record per figure as a line
of JSON and a report as reStructuredText; ``README.rst`` tells method and results.

The way of a figure: :mod:`.command` makes a :class:`~.plan.Plan`; :mod:`.turns`
starts a server of :mod:`.peers` and hands it to a workload of :mod:`.workloads`,
which drives it with the clients here and yields a :class:`~.records.Record`;
:mod:`.report` reads the records back.  Nothing here is imported by mailhub, and
nothing but the standard library is imported here, except by :mod:`.fill`, which fills
a store without a server.
"""
