#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure while pages of files are stored into: over holes, promised, unwritten and old blocks,
behind cuts and punches. As ranges.py; what msync(MS_SYNC) of a whole file has made stable stays.

    pages.py SWEEP [--seed S] [--ops N] [SWEEP'S OPTION...]        exit 1 when a state fails, 77 without mke2fs
"""
import random, sys

from ranges import main

IMAGES = (["-b", "1024", "-J", "size=1"], ["-b", "4096", "-J", "size=4"], ["-b", "1024", "-J", "size=1", "-O", "^extent,^64bit"])
MOUNTS = ("nodelalloc", "data=journal", "data=writeback,dioread_nolock")
SIZE = 200000


def script(seed, ops, block):
    r = random.Random(seed)
    lines = ["open fd=1 /f O_CREAT|O_RDWR 0644", "open fd=2 /old O_CREAT|O_RDWR 0644", "ftruncate fd=1 len=%d" % SIZE,
             "pwrite fd=2 off=0 len=%d fill=pat:1" % SIZE, "fsync fd=2"]
    for i in range(ops):
        fd, at, n = r.choice((1, 2)), r.randrange(SIZE), r.choice((1, 100, 1000, 5000, 30000))
        kind = r.random()
        if kind < 0.6:
            sync = r.choice(("", "", " sync=async"))
            lines.append("mmapwrite fd=%d off=%d len=%d fill=pat:%d%s" % (fd, at, min(n, SIZE - at), i % 250, sync))
        elif kind < 0.68:
            lines.append("mmapwrite fd=%d off=0 len=%d fill=pat:%d sync=sync" % (fd, SIZE, i % 250))
        elif kind < 0.76:
            lines.append("pwrite fd=%d off=%d len=%d fill=pat:%d" % (fd, at, min(n, SIZE - at), i % 250))
        elif kind < 0.84:
            mode = r.choice(("punch", "punch", "zero,keep", "keep"))
            lines.append("fallocate fd=%d mode=%s off=%d len=%d" % (fd, mode, at, min(n, SIZE - at)))
        elif kind < 0.9:
            lines += ["ftruncate fd=%d len=%d" % (fd, at), "ftruncate fd=%d len=%d" % (fd, SIZE)]
        elif kind < 0.96:
            lines.append("fsync fd=%d" % fd)
        else:
            lines.append("sleep 6000")
    return "\n".join(lines + ["syncfs", "close fd=1", "close fd=2", ""])


sys.exit(main(script, IMAGES, MOUNTS))
