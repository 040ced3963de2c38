#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure around what is done to a whole file system: freezes, trims, discards behind commits,
checkpoints that erase the log, remounts, shutdowns. `sweep` visits every prefix, every write and discard lost or torn, random
states, and recovers and checks each; what was synced and not touched since must be there, also behind a discard.

    whole.py SWEEP [--rounds N] [SWEEP'S OPTION...]       exit 1 when a state fails, 77 without mke2fs
"""
import argparse, os, random, shutil, subprocess, sys, tempfile

IMAGES = ((["-b", "1024", "-J", "size=1"], "discard"), (["-b", "1024", "-J", "size=1", "-O", "orphan_file"], "discard,data=journal"),
          (["-b", "4096", "-O", "^metadata_csum"], ""))


def script(seed, rounds):
    r, lines = random.Random(seed), ["mkdir /d 0755"]
    for i in range(rounds):
        f, g = "/d/a%d" % i, "/d/b%d" % i
        lines += ["open fd=1 %s O_CREAT|O_RDWR 0644" % f, "write fd=1 len=%d fill=pat:%d" % (r.randint(1, 60000), i), "fsync fd=1",
                  "open fd=2 %s O_CREAT|O_RDWR 0644" % g, "write fd=2 len=%d fill=pat:%d" % (r.randint(1, 60000), i + 100),
                  "ftruncate fd=1 len=%d" % r.randint(0, 20000), "close fd=2"]
        if i:
            lines.append("unlink /d/b%d" % (i - 1))
        lines += r.choice((["freeze", "thaw"], ["fstrim"], ["checkpoint flags=1"], ["checkpoint flags=2"], ["syncfs", "fstrim"]))
        lines += ["close fd=1"] + r.choice(([], ["remount ro", "remount rw"], ["umount", "mount"], ["freeze", "statfs /", "thaw"]))
    return "\n".join(lines + ["shutdown default", ""])


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("sweep")
    a.add_argument("--seed", type=int, default=5)
    a.add_argument("--rounds", type=int, default=8)
    o, more = a.parse_known_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("mke2fs"):
        print("skipped: needs mke2fs")
        return 77
    with tempfile.TemporaryDirectory(prefix="extant-whole-") as work:
        image, lines, status = os.path.join(work, "image"), os.path.join(work, "script"), 0
        with open(lines, "w") as f:
            f.write(script(o.seed, o.rounds))
        for options, mount in IMAGES:
            with open(image, "wb") as f:
                f.truncate(16 << 20)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard"] + options + [image], check=True)
            print(" ".join(options), mount, flush=True)
            status |= subprocess.run([o.sweep] + more + ["-o", "dialect=6.18,noinit_itable," + mount, image, lines]).returncode
    return 1 if status else 0


sys.exit(main())
