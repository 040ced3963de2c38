#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure while directories grow: one block becomes a hash tree, leaves and nodes split, names
come and go; and while names of every kind are made, renamed and removed. `sweep` visits every prefix, every write lost or torn, random states, and recovers and checks each.

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


def kinds(seed, ops):
    """Links, devices, nameless files, and renames of each kind, of files that were fsynced before."""
    r, lines, n = random.Random(seed), ["mkdir /a 0755", "mkdir /b 0755", "mkdir /a/sub 0755"], 0
    files = []

    def new():
        nonlocal n
        n += 1
        return "%s/%d" % (r.choice(("/a", "/b", "/a/sub")), n)

    def make():
        path = new()
        files.append(path)
        lines.extend(["open fd=1 %s O_CREAT|O_RDWR 0644" % path, "write fd=1 len=%d fill=pat:%d" % (r.randint(1, 9000), n % 250),
                      "fsync fd=1", "close fd=1"])

    def rename(old, new_path, *how):
        lines.append(" ".join(("rename", old, new_path) + how))

    def plain():
        old = files.pop(r.randrange(len(files)))
        files.append(new())
        rename(old, files[-1], *r.choice(((), (), ("noreplace",), ("whiteout",))))

    def over():
        old = files.pop(r.randrange(len(files)))
        rename(old, r.choice(files))

    def exchange():
        rename(*r.sample(files, 2), "exchange")

    def directory():
        d = new()
        lines.extend(["mkdir %s 0755" % d, "mkdir %s.2 0755" % d, "rename %s.2 %s" % (d, d), "rename %s /b/%d.moved" % (d, n)])
        if r.random() < 0.5:
            lines.append("rmdir /b/%d.moved" % n)

    def link():
        path = new()
        lines.extend(["link %s %s" % (r.choice(files), path), "unlink " + path] if r.random() < 0.5 else
                     ["link %s %s" % (r.choice(files), path)])

    def symlink():
        path = new()
        lines.append("symlink len=%d %s" % (r.choice((5, 59, 60, 700)), path))
        if r.random() < 0.4:
            lines.append("unlink " + path)

    def node():
        lines.append("mknod %s %s" % (new(), r.choice(("p", "s", "c 0600 1 3", "b 0600 300 70000"))))

    def nameless():
        lines.extend(["open fd=2 /a O_TMPFILE|O_RDWR 0600", "write fd=2 len=5000 fill=t"])
        if r.random() < 0.6:
            lines.append("flink fd=2 " + new())
        lines.append("close fd=2")

    for i in range(ops):
        while len(files) < 4:
            make()
        r.choice((make, plain, plain, over, over, exchange, exchange, directory, link, symlink, node, nameless))()
        if r.random() < 0.15:
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
        image, status = os.path.join(work, "image"), 0
        scripts = {"names": script(o.seed, o.names), "kinds": kinds(o.seed, o.names // 4)}
        for name, text in scripts.items():
            with open(os.path.join(work, name), "w") as f:
                f.write(text)
        for options in IMAGES:
            size = "%dM" % (8 + o.names // 200)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-N", str(o.names + 100)] + options + [image, size], check=True)
            print(" ".join(options), flush=True)
            for name in scripts:
                status |= subprocess.run([o.sweep] + more + [image, os.path.join(work, name)]).returncode
    return 1 if status else 0


sys.exit(main())
