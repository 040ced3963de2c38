# SPDX-License-Identifier: BSD-2-Clause
"""Call trees: read from what `extant trace` prints, and drawn with bars and arrows.

    lookup_real
     |
    ext4_lookup
     |
     +-> ext4_find_entry { event: ext4_es_lookup_extent_enter/exit }
     |
     +-> ...

A call alone stands below its caller, several hang from it by arrows; an event stands in braces at the
function that fires it.
"""
import re

COLUMNS = 100
HEADER = re.compile(r"## op (\d+): (.*) -> ret=(.*)$")


class Node:
    """A call, or an event: then `event` is the text behind its name, and there is nothing below."""

    def __init__(self, name, event=None):
        self.name, self.event, self.below = name, event, []

    def walk(self):
        yield self
        for node in self.below:
            yield from node.walk()


class Operation:
    def __init__(self, number, text, result):
        self.number, self.text, self.result = int(number), text, result
        self.tasks = []                 # (name of the task, root Node)

    def tree(self, task="app"):
        """The calls of the first task of that name, below a Node without a name."""
        for name, root in self.tasks:
            if name.startswith(task):
                return root
        return Node("")

    def events(self, task="app"):
        return [n.name for n in self.tree(task).walk() if n.event is not None]


def parse(text):
    """The operations of a trace in tree form."""
    operations, path = [], []
    for line in text.splitlines():
        header = HEADER.match(line)
        if header:
            operations.append(Operation(*header.groups()))
        elif line.startswith("[") and operations:
            operations[-1].tasks.append((line[1:-1], Node("")))
            path = [operations[-1].tasks[-1][1]]
        elif line.strip() and operations:
            depth, body = (len(line) - len(line.lstrip())) // 2, line.strip()
            if body.startswith("{"):
                name, _, fields = body[1:-1].strip().partition(":")
                node = Node(name, fields.strip())
            else:
                node = Node(body)
            del path[depth + 1:]
            path[depth].below.append(node)
            path.append(node)
    return operations


def prune(node, keep):
    """Leaves out calls that neither fire an event nor are named in `keep`, nor lead to one that does."""
    node.below = [prune(n, keep) for n in node.below]
    node.below = [n for n in node.below if n.event is not None or n.below or n.name in keep]
    return node


# ---- drawing

def _pair(names):
    """x_enter and x_exit of one thing as x_enter/exit."""
    out = []
    for name in names:
        if out and name.endswith("_exit") and out[-1] == name[:-5] + "_enter":
            out[-1] += "/exit"
        else:
            out.append(name)
    return out


def _braces(events):
    return "{ event: %s }" % ", ".join(_pair([e.name for e in events]))


def _parts(node):
    """(text behind the name, what hangs below): runs of events are one part."""
    runs = []
    for n in node.below:
        if n.event is not None and runs and isinstance(runs[-1], list):
            runs[-1].append(n)
        else:
            runs.append([n] if n.event is not None else n)
    first = ""
    if runs and isinstance(runs[0], list):
        first = " " + _braces(runs.pop(0))
    return first, runs


def _draw(node, indent, out):
    first, parts = _parts(node)
    out[-1] += node.name
    if len(out[-1] + first) <= COLUMNS:
        out[-1] += first
    else:
        out.append(indent + "   " + first)
    many = len(parts) > 1
    for i, part in enumerate(parts):
        last = i + 1 == len(parts)
        out.append(indent + " |")
        if many:
            out.append(indent + " +-> ")
            below = indent + ("     " if last else " |   ")
        else:
            out.append(indent)
            below = indent
        if isinstance(part, list):
            out[-1] += _braces(part)
        else:
            _draw(part, below, out)


def draw(node):
    """Lines. A node without a name is drawn as what is below it, one after the other."""
    out = []
    for top in node.below if not node.name else [node]:
        out.append("")
        if top.event is not None:
            out[-1] = _braces([top])
        else:
            _draw(top, "", out)
    return [line.rstrip() for line in out]
