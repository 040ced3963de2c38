#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What strace sees: cached look-ups of two threads make no futex call, and an fsync flushes the image.

    strace.py LOOKUPS [N]

Between the marks of the program nothing but the start and the end of a thread may be in the trace of the
look-ups: at most a few futex calls (its join). Skips (77) where strace or mke2fs is missing or not allowed.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

JOIN_CALLS = 4


def between_marks(text):
    begin, end = text.find('"begin\\n"'), text.rfind('"end\\n"')
    return text[begin:end] if 0 <= begin < end else None


def trace(program, what, image, calls, *more):
    log = image + ".strace"
    run = subprocess.run(["strace", "-f", "-o", log, "-e", "trace=" + calls, program, what, image, *more],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = open(log, encoding="utf-8", errors="replace").read() if os.path.exists(log) else ""
    if run.returncode and "ptrace" in run.stderr:
        print("skipped: strace is not allowed here")
        sys.exit(77)
    if run.returncode:
        print(run.stderr, text[-2000:])
        sys.exit("%s failed: %d" % (what, run.returncode))
    return between_marks(text)


def main():
    program, count = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1000000"
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    for tool in ("strace", "mke2fs"):
        if not shutil.which(tool):
            print("skipped: %s is needed" % tool)
            return 77
    with tempfile.TemporaryDirectory(prefix="extant-strace-") as directory:
        image = os.path.join(directory, "image")
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", image, "64M"], check=True, stderr=subprocess.DEVNULL)
        looked = trace(program, "look", image, "futex,write", count)
        futexes = len(re.findall(r"\bfutex\(", looked))
        print("%s cached look-ups by two threads: %d futex calls" % (count, futexes))
        synced = trace(program, "sync", image, "fdatasync,fsync,pwritev,pwritev2,pwrite64,write")
        flushes = len(re.findall(r"\b(?:fdatasync|fsync)\(", synced)) + len(re.findall(r"RWF_DSYNC", synced))
        print("fsync: %d flushes before it returned" % flushes)
        last_write = max(synced.rfind("pwrite"), 0)
        stable_last = "RWF_DSYNC" in synced[last_write:] or re.search(r"f(data)?sync\(", synced[last_write:])
        if futexes > JOIN_CALLS or not flushes or not stable_last:
            print(looked[-3000:], synced[-3000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
