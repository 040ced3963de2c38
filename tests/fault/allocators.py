#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Only the arena asks for memory: allocators.py ARCHIVE

No other object of the core names malloc and the like, so that what the arena counts, and makes fail, is all there is.
(qsort may ask for memory, and sorts without it.) Exit 77 without nm.
"""
import re, shutil, subprocess, sys

ALLOCATORS = {"malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign", "memalign", "valloc",
              "strdup", "strndup", "asprintf", "vasprintf", "mmap", "mmap64", "brk", "sbrk", "open_memstream", "getline"}
MAY = re.compile(r"base_alloc(_block|_chunk)?\.c\.o$")
STACKS = ("base_context.c.o", ("mmap64", "mmap"))    # which are announced to the arena


def main():
    if not shutil.which("nm"):
        print("skipped: nm is needed")
        return 77
    out = subprocess.run(["nm", "-A", "-u", sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True).stdout
    seen, bad = set(), []
    for line in out.splitlines():
        where, name = line.split(":")[-2], line.split()[-1].split("@")[0]
        seen.add(where)
        if name in ALLOCATORS and not MAY.search(where) and not (where.endswith(STACKS[0]) and name in STACKS[1]):
            bad.append("%s uses %s" % (where, name))
    print("\n".join(bad) or "%d objects: only the arena asks the C library for memory" % len(seen))
    return 1 if bad or len(seen) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
