#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What an event and a scope cost, off and on.

    cost.py PROGRAM             the table of docs/performance.md: instructions (callgrind) and ns a call
    cost.py PROGRAM --limits    a test: off, an event or a scope costs at most LIMIT instructions

PROGRAM is built from cost.c. Each number is the difference to the same function without tracing.
Without valgrind there are no instructions; the test is skipped (77).
"""
import re
import shutil
import subprocess
import sys

LIMIT = 8
NAMES = {"event": "an event", "scope": "a scope (begin and end)", "chain": "one scope for five boxes"}


def instructions(program, function, how, count=2000):
    """Of one call, from inside the loop."""
    if not shutil.which("valgrind"):
        return None
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=cost_loop",
               program, function, how, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return int(re.search(r"Collected\s*:\s*(\d+)", done.stderr.decode()).group(1)) / count


def nanoseconds(program, function, how, count):
    times = [float(subprocess.run([program, function, how, str(count)], stdout=subprocess.PIPE, check=True).stdout)
             for _ in range(9)]
    return min(times)


def limits(program):
    if not shutil.which("valgrind"):
        print("skipped: no valgrind here")
        return 77
    bad = 0
    for function, name in NAMES.items():
        cost = instructions(program, function, "off") - instructions(program, function, "out")
        print("%s, off: %.1f instructions" % (name, cost))
        bad += cost > LIMIT
    return 1 if bad else 0


def table(program):
    print("| | instructions | ns |")
    print("|---|---|---|")
    for function, name in NAMES.items():
        base = instructions(program, function, "out"), nanoseconds(program, function, "out", 20000000)
        for how, count in (("off", 20000000), ("on", 2000000), ("ftrace", 500000), ("tree", 500000), ("jsonl", 500000)):
            what = {"off": "off", "on": "on"}.get(how, "on, and printed as " + how)
            count_ = instructions(program, function, how, 2000) if how in ("off", "on") else None
            cost = "%.0f" % (count_ - base[0]) if count_ is not None else ""
            print("| %s, %s | %s | %.1f |" % (name, what, cost,
                                              nanoseconds(program, function, how, count) - base[1]))
    return 0


if __name__ == "__main__":
    sys.exit(limits(sys.argv[1]) if "--limits" in sys.argv else table(sys.argv[1]))
