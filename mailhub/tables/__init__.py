"""The tables that mail servers have been told by for forty years, as values.

aliases(5), access, virtusertable, local-host-names, ``.forward``, canonical and
transport maps, in the syntax of Sendmail and of Postfix alike, from their text: not
from what makemap(8) or postmap(1) make of it.  Each parser takes the octets of a file
and its path, and gives a value that is asked with lookups in dictionaries, or raises
:class:`mailhub.tables.lines.MalformedTable` with all faults by file and line.
"""
