#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every event of both kernels is declared, and prints what that kernel prints.

    events_test.py tables DUMP      against tests/oracle/events-*.tsv: names, text, values in order,
                                    fields of the record, tables of names
    events_test.py samples DUMP [RECORDING...]
                                    recorded lines, taken apart and printed again, come out the same:
                                    tests/trace/samples-*.txt and the recordings in tests/golden
    events_test.py formats DUMP     one of each event, as ftrace's text and as JSON lines: the oracle's
                                    parser takes the one, a JSON parser the other, typed as declared
    events_test.py kernel DUMP      against what this machine's kernel says of its events; skipped
                                    (77) where it is another one or tracefs cannot be read
    events_test.py manual DUMP      docs/trace-events.md is what DUMP --manual prints

DUMP is the program built from events_dump.c.
"""
import atexit
import glob
import gzip
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ORACLE = os.path.join(ROOT, "tests", "oracle")
sys.path.insert(0, ORACLE)
import loopmount  # noqa: E402
import tracefmt  # noqa: E402

DIALECTS = ("4.9", "6.18")
SKIP = 77

# Where a record of ours has another name than the kernel's.
RENAMED = {"errors": "error"}
NOT_FIELDS = {"dev", "dev_major", "dev_minor", "comm", "cmd"}
TABLE_NAMES = {"enum__REC_ioprio_13_8_1_": "ioprio_class"}
# These print names of numbers that are not the kernel's; events.def says so.
OUR_NUMBERS = {"mflags", "criteria"}
KINDS = {"": "d", "PLAIN": 0, "FLAGS": 1, "SYMBOL": 2, "CONSTANT": 3, "CLASS": 4, "HINT": 5, "LEVEL": 6}
CONVERSION = re.compile(r"%(?:ll|l|z)?(pS|[duxos])")
PATTERN = {"d": r"(-?\d+)", "u": r"(\d+)", "x": r"([0-9a-f]+)", "o": r"([0-7]+)", "s": r"(.*?)", "pS": r"(\S+)"}

problems = []


def problem(text, *args):
    problems.append(text % args)


class Text:
    """One event as one dialect prints it."""

    def __init__(self, d, tables):
        self.event, self.of, self.printf = d["event"], d["of"], d["printf"]
        self.values = [tuple(v) for v in d["values"]]
        self.fields = dict(d["fields"])
        self.when = d["when"]
        self.system = d["system"]
        self.tables = tables
        self.conversions = CONVERSION.findall(self.printf)
        self.literals = CONVERSION.split(self.printf)[::2]
        pattern = "".join(re.escape(lit) + (PATTERN[c] if c else "")
                          for lit, c in zip(self.literals, self.conversions + [""]))
        self.regex = re.compile(pattern + r"\Z", re.S)

    def expanded(self):
        """(name, kind, table, which half of a device) for each conversion."""
        for name, kind, table, count in self.values:
            for half in range(count):
                yield name, kind, table, half if count == 2 else None

    def take_apart(self, text):
        """Printed text -> (field values, the text as it must come out again), or None."""
        m = self.regex.match(text)
        if not m:
            return None
        fields = {self.when: 1} if self.when and self.when not in (v[0] for v in self.values) else {}
        out = ""
        for lit, conv, group, (name, kind, table, half) in zip(
                self.literals, self.conversions, m.groups(), self.expanded()):
            if conv == "pS":
                group = re.sub(r"\+0x[0-9a-f]+/0x[0-9a-f]+$", "", group)
            if name == "dev":
                group = "07"[half == 0]
            elif name == "comm":
                group = "task"
            elif half is not None:
                fields[name] = fields.get(name, 0) | int(group) << (20 if half == 0 else 0)
            elif kind in (KINDS["CLASS"], KINDS["HINT"], KINDS["LEVEL"]):
                v = self.symbol(table, group) if kind == KINDS["CLASS"] else int(group)
                fields[name] = fields.get(name, 0) | v << {4: 13, 5: 3, 6: 0}[kind]
            elif kind != KINDS["CONSTANT"] and name != "cmd":
                fields[name] = self.value_of(conv, group, kind, table)
            out += lit + group
        return fields, out + self.literals[-1]

    def value_of(self, conv, group, kind, table):
        if kind == KINDS["FLAGS"]:
            return self.flags(table, group)
        if kind == KINDS["SYMBOL"] and conv == "s":
            return self.symbol(table, group)
        return group if conv in ("s", "pS") else int(group, {"x": 16, "o": 8}.get(conv, 10))

    def symbol(self, table, text):
        for value, name in self.tables[table]["names"]:
            if name == text:
                return value
        return int(text, 16)

    def flags(self, table, text):
        names = sorted(((n, v) for v, n in self.tables[table]["names"] if n), key=lambda x: -len(x[0]))
        delimiter, bits = self.tables[table]["delimiter"], 0
        while text:
            for name, value in names:
                if text.startswith(name) and (not delimiter or text[len(name):][:1] in ("", delimiter)):
                    bits, text = bits | value, text[len(name):]
                    break
            else:
                m = re.match(r"0x([0-9a-f]+)", text)
                if not m:
                    raise ValueError("%r is no name of %s" % (text, table))
                bits, text = bits | int(m.group(1), 16), text[m.end():]
            if delimiter and text.startswith(delimiter):
                text = text[len(delimiter):]
        return bits


def load(dump):
    """{dialect: ({event: Text}, {table: ...})} of the program."""
    lines = [json.loads(x) for x in subprocess.run([dump], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]
    out = {}
    for dialect in DIALECTS:
        tables = {x["table"]: x for x in lines if x["dialect"] == dialect and "table" in x}
        texts = [Text(x, tables) for x in lines if x["dialect"] == dialect and "event" in x]
        for t in texts:
            if len(list(t.expanded())) != len(t.conversions):
                problem("%s %s: %d values for %d conversions", dialect, t.event,
                        len(list(t.expanded())), len(t.conversions))
        if len({t.event for t in texts}) != len(texts):
            problem("%s: an event is declared twice", dialect)
        out[dialect] = ({t.event: t for t in texts}, tables)
    return out


# ------------------------------------------------------------------ descriptions
def check_event(dialect, ours, theirs):
    """`theirs` is a tracefmt.Event: what the kernel says of it."""
    if ours.system != theirs.system:
        problem("%s %s: system %s, not %s", dialect, ours.event, ours.system, theirs.system)
    if ours.printf.rstrip("\n") != theirs.fmt.rstrip("\n"):
        problem("%s %s:\n  ours   %r\n  kernel %r", dialect, ours.event, ours.printf, theirs.fmt)
    names = [n + "2" if half == 1 else n for n, _, _, half in ours.expanded()]
    wanted = [RENAMED.get(a, a) for a, _ in theirs.args]
    if names != wanted:
        problem("%s %s: values %s, not %s", dialect, ours.event, names, wanted)
    for decl in filter(None, (x.strip() for x in theirs.record.split(";"))):
        check_record_field(dialect, ours, decl)


def check_record_field(dialect, ours, decl):
    m = re.match(r"(?:__data_loc )?(.*?)\s*\b(\w+)(\[\d+\])?$", decl)
    ctype, name, array = m.group(1).strip(), RENAMED.get(m.group(2), m.group(2)), m.group(3)
    if name in NOT_FIELDS:
        return
    elements = [name + str(i) for i in range(int(array[1:-1]))] if array and "char" not in ctype else [name]
    for name in elements:
        kind = ours.fields.get(name)
        if kind is None:
            problem("%s %s: no field %s", dialect, ours.event, name)
        elif re.search(r"64|loff_t|long|fsblk|ino_t|sector_t", ctype) and kind not in ("u64", "s64", "str"):
            # The journal counts in 32 bits whatever the record says; a page has no more.
            if name not in ("tid",):
                problem("%s %s: %s is %s, the kernel's %s", dialect, ours.event, name, kind, ctype)


def check_tables(dialect, tables):
    path = os.path.join(ORACLE, "events-%s.tsv" % dialect)
    for line in open(path, encoding="utf-8"):
        m = re.match(r"# table (\S+): (.*)$", line)
        if not m:
            continue
        name = TABLE_NAMES.get(m.group(1), m.group(1))
        if name not in tables:
            problem("%s: no table %s", dialect, name)
            continue
        theirs = re.findall(r"(\([^)]*\)|\S+?)=(\S+)", m.group(2))
        ours = [(v, n) for v, n in tables[name]["names"] if n and not n.startswith("0x")]
        if name in OUR_NUMBERS or any(not re.match(r"0x", v) for v, _ in theirs):
            if {n for _, n in ours} != {n for _, n in theirs}:
                problem("%s table %s: %s, not %s", dialect, name, ours, theirs)
        elif [(v, n) for v, n in ours] != [(int(v, 16), n) for v, n in theirs]:
            problem("%s table %s: %s, not %s", dialect, name, ours, theirs)


def tables_mode(known):
    for dialect in DIALECTS:
        texts, tables = known[dialect]
        theirs = tracefmt.load_events(os.path.join(ORACLE, "events-%s.tsv" % dialect))
        for name in sorted(set(theirs) ^ set(texts)):
            problem("%s: %s is %s", dialect, name, "not declared" if name in theirs else "not the kernel's")
        for name in sorted(set(theirs) & set(texts)):
            check_event(dialect, texts[name], theirs[name])
        check_tables(dialect, tables)
        print("%s: %d events" % (dialect, len(texts)))


# ------------------------------------------------------------------------ samples
def sample_lines(dialect, paths):
    """(event, text) of every recorded line; a text may span lines."""
    with open(os.path.join(HERE, "samples-%s.txt" % dialect), encoding="utf-8") as fh:
        for line in fh:
            if not line.startswith("#"):
                event, text = line.rstrip("\n").split(": ", 1)
                yield event, text.replace("\\n", "\n")
    for path in paths:
        with gzip.open(path, "rt", errors="surrogateescape") as fh:
            for r in tracefmt.read_trace(fh):
                yield r["ev"], r["text"]


def samples_mode(known, dump, recordings):
    for dialect in DIALECTS:
        texts = known[dialect][0]
        folders = recordings or [os.path.join(ROOT, "tests", "golden")]
        paths = [p for f in folders for p in sorted(glob.glob(os.path.join(f, dialect, "*", "trace.txt.gz")))]
        wanted, requests, seen = [], [], set()
        for event, text in sample_lines(dialect, paths):
            if event not in texts or (event, text) in seen:
                continue
            seen.add((event, text))
            try:
                parts = texts[event].take_apart(text)
            except ValueError as e:
                problem("%s %s: %r: %s", dialect, event, text, e)
                continue
            if not parts:
                problem("%s %s: %r does not fit %r", dialect, event, text, texts[event].printf)
                continue
            requests.append("\t".join([dialect, texts[event].of] + ["%s=%s" % f for f in parts[0].items()]))
            wanted.append("%s: %s" % (event, json.dumps(parts[1])))
        got = subprocess.run([dump, "--print"], input="\n".join(requests).encode(), stdout=subprocess.PIPE,
                             check=True).stdout.decode().splitlines()
        for w, g in zip(wanted, got):
            if w != g:
                problem("%s\n  recorded %s\n  printed  %s", dialect, w, g)
        if len(got) != len(wanted):
            problem("%s: %d lines printed for %d", dialect, len(got), len(wanted))
        events = {e for e, _ in seen}
        print("%s: %d different lines of %d events, from the samples and %d recordings"
              % (dialect, len(wanted), len(events), len(paths)))


# ------------------------------------------------------------------------ formats
def formatted(dump, form, dialect):
    return subprocess.run([dump, "--sample", form, dialect], stdout=subprocess.PIPE, check=True).stdout


def check_ftrace(dialect, texts, dump):
    theirs = tracefmt.load_events(os.path.join(ORACLE, "events-%s.tsv" % dialect))
    lines = formatted(dump, "ftrace", dialect).decode(errors="surrogateescape").splitlines(True)
    records = [r for r in tracefmt.read_trace(lines) if r["ev"] != tracefmt.MARK]
    for r in records:
        if theirs[r["ev"]].parse(r["text"]) is None:
            problem("%s: %s: %r is not read back", dialect, r["ev"], r["text"])
        if r["pid"] != 0 or r["comm"] != "extant" or r["ts"] != "1.234567":
            problem("%s: head of the line: %s", dialect, r)
    return {r["ev"] for r in records}, len(records)


JSON_TYPES = {"u32": int, "u64": int, "s32": int, "s64": int, "flag": bool, "str": str, "text": str, "dev": str}


def check_json_record(dialect, text, fields):
    printed = {n: k for n, k, _, _ in text.values if n not in NOT_FIELDS and k != KINDS["CONSTANT"]}
    if list(fields) != list(printed):
        problem("%s %s: members %s, not %s", dialect, text.event, list(fields), list(printed))
    for name, value in fields.items():
        wanted = str if printed[name] in (KINDS["FLAGS"], KINDS["SYMBOL"]) else JSON_TYPES[text.fields[name]]
        if type(value) is not wanted:
            problem("%s %s: %s is %r", dialect, text.event, name, value)


def check_json(dialect, texts, dump):
    lines = [json.loads(x) for x in formatted(dump, "jsonl", dialect).decode().splitlines()]
    head = {"format": "extant-trace", "version": 1, "dialect": dialect, "device": "7,0"}
    if lines[0] != head:
        problem("%s: first line %s", dialect, lines[0])
    if lines[1]["mark"] != 'op_begin 1 touch /a "b\\c\x01\xff\xe4\xed\xa0\x80\x7f':
        problem("%s: mark %r", dialect, lines[1]["mark"])
    seen = set()
    for number, x in enumerate(lines[1:]):
        if x["seq"] != number or x["time_ns"] != 1234567890 or (x["task"], x["task_id"]) != ("extant", 0):
            problem("%s: %s", dialect, x)
        if "event" in x:
            seen.add(x["event"])
            check_json_record(dialect, texts[x["event"]], x["fields"])
            if (x["depth"], x["scope"]) != (2, "inner"):
                problem("%s: %s", dialect, x)
        elif "mark" not in x and (x.get("enter") or x.get("leave")) != "outer, inner":
            problem("%s: %s", dialect, x)
    return seen


def formats_mode(known, dump):
    for dialect in DIALECTS:
        texts = known[dialect][0]
        seen, count = check_ftrace(dialect, texts, dump)
        for name in sorted((seen | check_json(dialect, texts, dump)) ^ set(texts)):
            problem("%s: %s is not printed", dialect, name)
        if formatted(dump, "tree", dialect).decode(errors="surrogateescape").count("    { ") != count:
            problem("%s: the tree has not every event", dialect)
        print("%s: %d lines, %d events" % (dialect, count, len(seen)))


# ------------------------------------------------------------------- this kernel
def find_tracefs():
    for path in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        if os.path.isdir(os.path.join(path, "events", "ext4")):
            return path
    return None


def mount_tracefs():
    """In a mount namespace of our own, over a directory that is there, so that nothing stays behind."""
    loopmount.own_namespace()
    path = "/sys/kernel/tracing"
    if subprocess.run(["mount", "-t", "tracefs", "tracefs", path], stderr=subprocess.DEVNULL).returncode:
        return None
    atexit.register(subprocess.run, ["umount", path])
    return path


def kernel_mode(known):
    release = os.uname().release
    dialect = next((d for d in DIALECTS if re.match(re.escape(d) + r"\b", release)), None)
    if not dialect:
        print("skipped: this is Linux %s; the dialects are those of %s" % (release, " and ".join(DIALECTS)))
        return SKIP
    tracefs = find_tracefs() or mount_tracefs()
    if not tracefs or not os.path.isdir(os.path.join(tracefs, "events", "ext4")):
        print("skipped: no tracefs with the events of ext4 here (root and a kernel that has them)")
        return SKIP
    texts, symbols, count = known[dialect][0], tracefmt.Symbols(), 0
    for system in ("ext4", "jbd2", "block"):
        for path in sorted(glob.glob(os.path.join(tracefs, "events", system, "*", "format"))):
            name = path.split("/")[-2]
            if name in texts:
                with open(path, encoding="utf-8") as fh:
                    check_event(dialect, texts[name], tracefmt.parse_format(fh.read(), system, symbols))
                count += 1
            elif system != "block":
                problem("%s: %s is not declared", dialect, name)
    print("Linux %s: %d events" % (release, count))
    return 0


def manual_mode(dump):
    page = subprocess.run([dump, "--manual"], stdout=subprocess.PIPE, check=True).stdout
    path = os.path.join(ROOT, "docs", "trace-events.md")
    if open(path, "rb").read() != page:
        problem("docs/trace-events.md is old: events-dump --manual > docs/trace-events.md")


def main():
    mode, dump, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    known, status = load(dump), 0
    if mode == "tables":
        tables_mode(known)
    elif mode == "samples":
        samples_mode(known, dump, rest)
    elif mode == "formats":
        formats_mode(known, dump)
    elif mode == "kernel":
        status = kernel_mode(known)
    elif mode == "manual":
        manual_mode(dump)
    for p in problems[:40]:
        print(p)
    if problems:
        print("%d problems" % len(problems))
    return 1 if problems else status


if __name__ == "__main__":
    sys.exit(main())
