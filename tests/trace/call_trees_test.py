#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/call-trees.md tells the truth.

    call_trees_test.py boxes            each box of the drawing is in its tables, and is in the source what
                                        they say: a function, a scope or a macro, in that file
    call_trees_test.py run EXTANT       a run on a warm image passes every box and fires every event of the
                                        drawing, in its order; and open fires no event besides
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "demo"))
import drawing  # noqa: E402

SKIPPED = 77
# The first creation brings into memory what the drawing takes for granted.
SCRIPT = """open fd=0 /warm O_CREAT|O_RDWR 0644
fsync fd=0
close fd=0
open fd=1 /file O_CREAT|O_RDWR 0644
write fd=1 len=6 fill=x
"""
OPEN, WRITE = 4, 5
OPERATION = {"lookup_real": OPEN, "vfs_create": OPEN, "open | O_CREATE": OPEN, "vfs_write": WRITE,
             "ext4_da_write_begin": WRITE, "ext4_da_write_end": WRITE}


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


# ---- the drawing

def events_of(braces):
    """x_enter/x_exit and x_enter/exit alike."""
    names = braces.split("/")
    if len(names) == 2 and names[1] == "exit":
        names[1] = names[0][:-len("enter")] + "exit"
    return [("event", name.strip()) for name in names]


def drawn():
    """{heading: [("box" or "event", name), ...]}, from top to bottom."""
    text = re.search(r"^## As they were drawn$(.*?)^## ", read("docs", "call-trees.md"),
                     re.MULTILINE | re.DOTALL).group(1)
    out = {}
    for heading, tree in re.findall(r"^#+ ([^\n]*)\n\n```\n(.*?)```", text, re.MULTILINE | re.DOTALL):
        steps = []
        for line in tree.splitlines():
            calls, _, braces = line.partition("{ event: ")
            steps += [("box", name) for name in re.findall(r"[a-z_][a-z_0-9]+", calls)]
            steps += events_of(braces.rstrip(" }")) if braces else []
        out[heading] = steps
    return out


# ---- boxes

def table(columns):
    pattern = r"^\| `(\w+)` \|" + r" ([^|\n]*) \|" * (columns - 1) + r"(?: [^|\n]*\|)?$"
    return re.findall(pattern, read("docs", "call-trees.md"), re.MULTILINE)


def source(cell):
    return re.match(r"\[([\w/.]+)\]\(\.\./src/\1\)$", cell.strip()).group(1)


def has_scope(text, name):
    return any(name in [n.strip() for n in names.split(",")]
               for names in re.findall(r"TRACE_SCOPE\(\s*[^,;]+,([^;]*)\);", text))


def has_function(text, name):
    """A definition: the name after its type in the first column, and a body."""
    return re.search(r"^(?:static )?\w[\w *]*[ *]%s\([^;{]*\)[^;{]*\n\{" % name, text, re.MULTILINE)


def has_macro(name):
    folder = os.path.join(TOP, "src", "ext4")
    return any(re.search(r"^#define %s\b" % name, read("src", "ext4", header), re.MULTILINE)
               for header in os.listdir(folder) if header.endswith(".h"))


def wrong_box(name, kind, path):
    text = read("src", *path.split("/"))
    if not has_scope(text, name):
        return "no TRACE_SCOPE of that name in " + path
    if kind == "function" and not has_function(text, name):
        return "no function of that name in " + path
    if kind == "macro" and not has_macro(name):
        return "no macro of that name"
    if kind == "scope" and has_function(text, name):
        return "it is a function"
    return None if kind in ("function", "macro", "scope") else "what is a %s?" % kind


def check_boxes():
    problems, boxes, events = [], {}, {}
    for name, kind, cell in table(3):
        boxes[name] = kind
        wrong = wrong_box(name, kind, source(cell))
        if wrong:
            problems.append("%s: %s" % (name, wrong))
    for name, cell in [row for row in table(2) if row[0] not in boxes or "|" not in row[1]]:
        if not cell.startswith("["):
            continue
        events[name] = source(cell)
        if not re.search(r"\btrace\(\w[^,]*, %s\b" % name, read("src", *events[name].split("/"))):
            problems.append("%s: not fired in %s" % (name, events[name]))
    for steps in drawn().values():
        for kind, name in steps:
            if name not in (boxes if kind == "box" else events):
                problems.append("%s %s is in no table" % (kind, name))
    if len(boxes) < 49 or len(events) < 16:
        problems.append("only %d boxes and %d events: do the patterns still fit?" % (len(boxes), len(events)))
    return problems


# ---- a run

def run(extant, directory):
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    mke2fs = shutil.which("mke2fs", path=environment["PATH"])
    if not mke2fs:
        print("mke2fs is not there (e2fsprogs)")
        sys.exit(SKIPPED)
    subprocess.run([mke2fs, "-q", "-t", "ext4", "-b", "4096", "image", "64M"], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done = subprocess.run([extant, "trace", "image", "-"], input=SCRIPT.encode(), cwd=directory, check=True,
                          stdout=subprocess.PIPE)
    return drawing.parse(done.stdout.decode())


def steps_of(node):
    return [("event" if n.event is not None else "box", n.name) for n in node.walk() if n.name]


def missing(wanted, found):
    """The first step of `wanted` that does not follow in `found`; None: all do."""
    at = 0
    for step in wanted:
        if step not in found[at:]:
            return step
        at = found.index(step, at) + 1
    return None


def check_tree(heading, wanted, tree):
    """Some call of the drawing's first box has all of it below, in order."""
    roots = [n for n in tree.walk() if n.event is None and n.name == wanted[0][1]]
    gaps = [missing(wanted, steps_of(root)) for root in roots]
    if not roots:
        return ["%s: %s is not called" % (heading, wanted[0][1])]
    if None in gaps:
        return []
    return ["%s: %s %s is not in its place" % ((heading,) + gaps[0])]


def check_run(extant):
    with tempfile.TemporaryDirectory() as directory:
        operations = run(os.path.abspath(extant), directory)
    problems, trees = [], drawn()
    for heading, wanted in trees.items():
        problems += check_tree(heading, wanted, operations[OPERATION[heading]].tree())
    events = [name for part in ("open | O_CREATE", "lookup_real", "vfs_create")
              for kind, name in trees[part] if kind == "event"]
    if operations[OPEN].events() != events:
        problems.append("open fired %s and not %s" % (operations[OPEN].events(), events))
    if len(events) != 13 or len(operations[WRITE].events()) != 20:
        problems.append("open: %d events drawn; write: %d fired: does this test still see them?"
                        % (len(events), len(operations[WRITE].events())))
    return problems


def main():
    if sys.argv[1:] == ["boxes"]:
        problems = check_boxes()
    elif len(sys.argv) == 3 and sys.argv[1] == "run":
        problems = check_run(sys.argv[2])
    else:
        print(__doc__)
        return 2
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
