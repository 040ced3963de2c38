#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure while files change by range: allocated, punched, zeroed, collapsed, inserted into, cut;
and, with --direct, while most writes go past the cache (O_DIRECT), in sectors, beside some that do not; what others had
left on the disk is never seen.
`sweep` visits every prefix, every write lost or torn, random states, and recovers and checks each.

    ranges.py SWEEP [--direct] [--seed S] [--ops N] [SWEEP'S OPTION...]       exit 1 when a state fails, 77 without mke2fs

A file in many pieces and a small journal: a single call goes through several transactions. With block maps what is not
holes is refused.
"""
import argparse, os, random, shutil, subprocess, sys, tempfile

IMAGES = (["-b", "1024", "-J", "size=1"], ["-b", "1024", "-J", "size=1", "-O", "^metadata_csum,orphan_file"], ["-b", "4096", "-J", "size=4"],
          ["-b", "1024", "-J", "size=1", "-O", "^extent,^64bit"])
MODES = ("alloc", "keep", "punch", "punch", "punch", "zero", "zero,keep", "collapse", "insert")


def direct_script(seed, ops, block):
    r = random.Random(seed)
    lines = ["open fd=9 /s O_CREAT|O_RDWR 0644", "pwrite fd=9 off=0 len=9M fill=s", "fsync fd=9", "close fd=9", "unlink /s", "syncfs"]
    lines += ["open fd=%d /%s O_CREAT|O_RDWR%s 0644" % (fd, "ab"[fd // 3], "" if fd % 2 else "|O_DIRECT") for fd in (1, 2, 3, 4)]
    for i in range(ops):
        fd, at, n = r.choice((2, 4)), r.randrange(120) * block, r.choice((1, 1, 3, 20, 60)) * block
        if r.random() < 0.3:
            at, n = at + r.randrange(block // 512) * 512, n + r.randrange(block // 512) * 512
        what = r.random()
        if what < 0.6:
            lines.append("pwrite fd=%d off=%d len=%d fill=%s" % (fd, at, n, "ab"[fd // 3]))
        elif what < 0.7:
            lines.append("pwrite fd=%d off=%d len=%d fill=%s" % (fd - 1, at + r.randrange(block), n, "ab"[fd // 3]))
        elif what < 0.85:
            lines.append("fallocate fd=%d mode=%s off=%d len=%d" % (fd, r.choice(("keep", "alloc", "punch")), at, n))
        elif what < 0.93:
            lines.append("ftruncate fd=%d len=%d" % (fd, r.randrange(120) * block + r.randrange(block)))
        else:
            lines.append("pread fd=%d off=%d len=%d" % (fd, at // 512 * 512, n // 512 * 512))
        if r.random() < 0.15:
            lines.append("fsync fd=%d" % fd)
    return "\n".join(lines + ["syncfs"] + ["close fd=%d" % fd for fd in (1, 2, 3, 4)] + [""])


def script(seed, ops, block):
    r = random.Random(seed)
    lines = ["open fd=1 /f O_CREAT|O_RDWR 0644", "open fd=2 /pieces O_CREAT|O_RDWR 0644"]
    lines += ["pwrite fd=2 off=%d len=%d fill=pat:%d" % (2 * i * block, block, i % 200) for i in range(120)]
    lines += ["fsync fd=2"]
    for i in range(ops):
        fd, at, n = r.choice((1, 2)), r.randrange(240) * block, r.choice((1, 3, 20, 100)) * block
        mode = r.choice(MODES)
        if mode in ("punch", "zero", "zero,keep") and r.random() < 0.4:
            at, n = at + r.randrange(block), n + r.randrange(block)
        if r.random() < 0.3:
            lines.append("pwrite fd=%d off=%d len=%d fill=pat:%d" % (fd, at, n, i % 250))
        elif r.random() < 0.1:
            lines.append("copy_file_range fd=%d fd2=%d off=%d to=%d len=%d" % (fd, 3 - fd, at, r.randrange(240) * block, n))
        elif r.random() < 0.12:
            lines.append("ftruncate fd=%d len=%d" % (fd, at + r.randrange(block)))
        else:
            lines.append("fallocate fd=%d mode=%s off=%d len=%d" % (fd, mode, at, n))
        if r.random() < 0.15:
            lines.append("fsync fd=%d" % fd)
    return "\n".join(lines + ["syncfs", "ftruncate fd=2 len=0", "close fd=1", "close fd=2", ""])


def main(script=script, images=IMAGES, mounts=()):
    """With mount options besides the first image's own: on that image."""
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("sweep")
    a.add_argument("--seed", type=int, default=4)
    a.add_argument("--ops", type=int, default=40)
    a.add_argument("--direct", action="store_true")
    o, more = a.parse_known_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("mke2fs"):
        print("skipped: needs mke2fs")
        return 77
    with tempfile.TemporaryDirectory(prefix="extant-ranges-") as work:
        image, lines, status = os.path.join(work, "image"), os.path.join(work, "ranges"), 0
        for options, mount in [(i, []) for i in images] + [(images[0], ["-o", m]) for m in mounts]:
            with open(lines, "w") as f:
                f.write((direct_script if o.direct else script)(o.seed, o.ops, int(options[1])))
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-N", "64"] + options + [image, "16M"], check=True)
            print(" ".join(options + mount), flush=True)
            status |= subprocess.run([o.sweep] + ["--letters"] * o.direct + mount + more + [image, lines]).returncode
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
