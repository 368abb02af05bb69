"""A disk and the cache before it, as the calls of a server have left them.

What a file or a directory holds is known twice: as the disk is sure to have it, and
as a list of changes that no flush has covered.  Any of those may be on the disk, or
not, or in part; :mod:`.losses` chooses.

A flush covers what was complete before it began, of the one file or directory that
it was called for.  Nothing else is promised by POSIX, so nothing else is taken for
granted here: a flush of a file is none of its name, a flush of a directory none of
what is in its files, and what was called first need not reach the disk first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .trace import FORBIDDEN, Call, NotUnderstood


@dataclass(slots=True, eq=False)
class Write:
    """Octets put into a file; or, without *data*, its size changed to *offset*."""

    moment: int
    offset: int
    data: bytes | None


@dataclass(slots=True, eq=False)
class Naming:
    """A name given to *node*; or, without one, taken away."""

    moment: int
    name: str
    node: Node | None


@dataclass(slots=True, eq=False)
class Node:
    """A file, a directory, or a pipe, which holds nothing.

    :ivar data: the octets that the disk is sure to have.
    :ivar writes: changes of them that it may have.
    :ivar names: what the disk is sure to know to be in the directory.
    :ivar namings: changes of them that it may have.
    :ivar now: all names, as processes see them.
    :ivar size: of the file, as processes see it.
    :ivar version: another number whenever *data* or *names* have changed.
    """

    is_directory: bool = False
    is_pipe: bool = False
    data: bytearray = field(default_factory=bytearray)
    writes: list[Write] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)
    namings: list[Naming] = field(default_factory=list)
    now: dict[str, Node] = field(default_factory=dict)
    size: int = 0
    version: int = 0

    def flush(self, began: int) -> None:
        """What was complete before *began* is on the disk."""
        data, self.writes = _divide(self.writes, began)
        apply(self.data, data)
        names, self.namings = _divide(self.namings, began)
        rename(self.names, names)
        self.version += bool(data or names)


def _divide(changes: list, began: int) -> tuple[list, list]:
    return (
        [change for change in changes if change.moment < began],
        [change for change in changes if change.moment >= began],
    )


def apply(data: bytearray, writes: Sequence[Write]) -> None:
    """Change *data* as *writes* say."""
    for write in writes:
        missing = write.offset - len(data)
        if missing > 0:
            data.extend(bytes(missing))
        if write.data is None:
            del data[write.offset :]
        else:
            data[write.offset : write.offset + len(write.data)] = write.data


def rename(names: dict[str, Node], namings: Sequence[Naming]) -> None:
    """Change *names* as *namings* say."""
    for naming in namings:
        if naming.node is None:
            names.pop(naming.name, None)
        else:
            names[naming.name] = naming.node


class Disk:
    """The folder *root*, which is empty and durable at first.

    :ivar root: its node.
    :ivar flushes: calls so far that flushed something below it.
    :ivar wrote: called with each file written, and its :class:`Write`.
    :ivar flushed: called with each node after its flush.
    """

    def __init__(self, root: str) -> None:
        self.path = root
        self.root = Node(is_directory=True)
        self.flushes = 0
        self.wrote: Callable[[Node, Write], None] = lambda node, write: None
        self.flushed: Callable[[Node], None] = lambda node: None
        self._places: dict[tuple[int, Node], int] = {}

    def follow(self, call: Call) -> None:
        """Do what *call* did, if it was to anything below the root.

        :raises NotUnderstood:
        """
        if call.name in _ON_DESCRIPTORS:
            node = self._node(call.file)
            if node is not None:
                _ON_DESCRIPTORS[call.name](self, node, call)
            return
        paths = [os.path.normpath(path) for path in call.paths if path]
        if not any(self._is_ours(path) for path in paths):
            return
        if call.name not in _ON_PATHS:
            raise NotUnderstood(f"{call.name} {paths}")
        _ON_PATHS[call.name](self, call, paths)

    def pending(self) -> int:
        """Changes that the disk may not have, of everything that has a name."""
        return sum(len(node.writes) + len(node.namings) for node in self.nodes())

    def nodes(self) -> list[Node]:
        """Everything that has a name, or may have one after a loss."""
        found: dict[Node, None] = {}
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found[node] = None
                waiting += node.names.values()
                waiting += (each.node for each in node.namings if each.node)
        return list(found)

    def _is_ours(self, path: str) -> bool:
        return path == self.path or path.startswith(self.path + "/")

    def _node(self, path: str) -> Node | None:
        if not self._is_ours(path):
            return None
        node: Node | None = self.root
        for name in path[len(self.path) :].split("/"):
            if name and node is not None:
                node = node.now.get(name)
        return node

    def _parent(self, path: str) -> tuple[Node, str]:
        folder, name = os.path.split(path)
        node = self._node(folder)
        if node is None:
            raise NotUnderstood(f"no folder for {path}")
        return node, name

    def _name(self, path: str, node: Node | None, moment: int) -> None:
        if path == self.path:
            return  # Its own name is not below it.
        folder, name = self._parent(path)
        naming = Naming(moment, name, node)
        folder.namings.append(naming)
        rename(folder.now, [naming])

    # Calls with a descriptor.

    def _write(self, node: Node, call: Call) -> None:
        if node.is_pipe:
            return
        place = call.descriptor, node
        offset = self._places.get(place, 0)
        self._change(node, Write(call.moment, offset, call.data))
        self._places[place] = offset + call.result

    def _write_at(self, node: Node, call: Call) -> None:
        self._change(node, Write(call.moment, call.last_number, call.data))

    def _resize(self, node: Node, call: Call) -> None:
        if call.last_number != node.size:
            self._change(node, Write(call.moment, call.last_number, None))

    def _change(self, node: Node, write: Write) -> None:
        node.writes.append(write)
        end = write.offset + len(write.data or b"")
        node.size = end if write.data is None else max(node.size, end)
        self.wrote(node, write)

    def _seek(self, node: Node, call: Call) -> None:
        self._places[call.descriptor, node] = call.result

    def _flush(self, node: Node, call: Call) -> None:
        self.flushes += 1
        node.flush(call.began)
        self.flushed(node)

    def _forbidden(self, node: Node, call: Call) -> None:
        raise NotUnderstood(f"{call.name} of {call.file}")

    # Calls with paths.

    def _open(self, call: Call, paths: list[str]) -> None:
        [path] = paths
        node = self._node(path)
        if node is None:
            if "O_CREAT" not in call.text:
                raise NotUnderstood(f"{path} was opened, and never made")
            node = Node()
            self._name(path, node, call.moment)
        if "O_APPEND" in call.text or "O_TMPFILE" in call.text:
            raise NotUnderstood(call.text)
        if "O_TRUNC" in call.text and node.size:
            self._change(node, Write(call.moment, 0, None))
        self._places[call.result, node] = 0

    def _make_folder(self, call: Call, paths: list[str]) -> None:
        [path] = paths
        self._name(path, Node(is_directory=True), call.moment)

    def _make_pipe(self, call: Call, paths: list[str]) -> None:
        if "S_IFIFO" not in call.text:
            raise NotUnderstood(call.text)
        [path] = paths
        self._name(path, Node(is_pipe=True), call.moment)

    def _remove(self, call: Call, paths: list[str]) -> None:
        [path] = paths
        if self._node(path) is not None:  # A socket's name was never seen.
            self._name(path, None, call.moment)

    def _rename(self, call: Call, paths: list[str]) -> None:
        old, new = paths
        node = self._node(old)
        if node is None or "RENAME_EXCHANGE" in call.text:
            raise NotUnderstood(f"{call.name} of {old}")
        if node is self._node(new):
            return  # Two names of one file: rename(2) leaves both.
        self._name(new, node, call.moment)
        self._name(old, None, call.moment)

    def _link(self, call: Call, paths: list[str]) -> None:
        old, new = paths
        node = self._node(old)
        if node is None:
            raise NotUnderstood(f"{call.name} of {old}")
        self._name(new, node, call.moment)


_ON_DESCRIPTORS: dict[str, Callable[[Disk, Node, Call], None]] = {
    "write": Disk._write,
    "writev": Disk._write,
    "pwrite64": Disk._write_at,
    "pwritev": Disk._write_at,
    "ftruncate": Disk._resize,
    "lseek": Disk._seek,
    "fsync": Disk._flush,
    "fdatasync": Disk._flush,
    **{name: Disk._forbidden for name in FORBIDDEN},
    "accept4": lambda disk, node, call: None,
    "sendto": lambda disk, node, call: None,
    "sendmsg": lambda disk, node, call: None,
}
_ON_PATHS: dict[str, Callable[[Disk, Call, list[str]], None]] = {
    "openat": Disk._open,
    "mkdir": Disk._make_folder,
    "mkdirat": Disk._make_folder,
    "mknod": Disk._make_pipe,
    "mknodat": Disk._make_pipe,
    "rmdir": Disk._remove,
    "unlink": Disk._remove,
    "unlinkat": Disk._remove,
    "rename": Disk._rename,
    "renameat": Disk._rename,
    "renameat2": Disk._rename,
    "link": Disk._link,
    "linkat": Disk._link,
}
