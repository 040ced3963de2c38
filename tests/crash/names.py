#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure while directories grow: one block becomes a hash tree, leaves and nodes split, names
come and go. `sweep` visits every prefix, every write lost or torn, random states, and recovers and checks each.

    names.py SWEEP [--seed S] [--names N] [SWEEP'S OPTION...]       exit 1 when a state fails, 77 without mke2fs
"""
import argparse, os, random, shutil, subprocess, sys, tempfile

IMAGES = (["-b", "1024", "-J", "size=1"], ["-b", "1024", "-J", "size=1", "-O", "^metadata_csum"],
          ["-b", "1024", "-J", "size=1", "-O", "^dir_index"])


def script(seed, names):
    r, lines, there = random.Random(seed), ["mkdir /d 0755"], []
    for i in range(names):
        there.append("%04d-%s" % (i, "x" * r.randint(60, 180)))
        lines += ["open fd=1 /d/%s O_CREAT|O_RDWR 0644" % there[-1], "close fd=1"]
        if i % 9 == 8:
            lines.append("unlink /d/" + there.pop(r.randrange(len(there))))
        if i % 25 == 24:
            lines.append("syncfs")
    return "\n".join(lines + ["syncfs", ""])


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("sweep")
    a.add_argument("--seed", type=int, default=3)
    a.add_argument("--names", type=int, default=260)
    o, more = a.parse_known_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("mke2fs"):
        print("skipped: needs mke2fs")
        return 77
    with tempfile.TemporaryDirectory(prefix="extant-names-") as work:
        image, lines, status = os.path.join(work, "image"), os.path.join(work, "names"), 0
        with open(lines, "w") as f:
            f.write(script(o.seed, o.names))
        for options in IMAGES:
            size = "%dM" % (8 + o.names // 200)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-N", str(o.names + 100)] + options + [image, size], check=True)
            print(" ".join(options), flush=True)
            status |= subprocess.run([o.sweep] + more + [image, lines]).returncode
    return 1 if status else 0


sys.exit(main())
