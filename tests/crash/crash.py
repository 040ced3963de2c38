#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure behind each recorded script: own recovery and check on all, Linux and e2fsck on some.

    crash.py SWEEP [--golden DIR] [--only NAME...] [--random N] [--nested EVERY] [--judged N] [--seed S]

For each script: `sweep` visits every prefix, every write lost or torn and N random states; --judged states drawn from
the seed are written out: e2fsck must replay each and find nothing else, and, where root and loop devices are there, the
kernel mounts a copy and sees the same tree as a copy that extant recovered. Exit 1 when anything differs, 77 without e2fsck.
"""
import argparse, hashlib, json, lzma, os, random, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = ("01", "02", "03", "04", "05", "06", "07", "08", "24", "25", "29", "31", "32", "35")


def unpack(src, dst):
    with lzma.open(src) as f, open(dst, "wb") as o:
        while True:
            b = f.read(1 << 20)
            if not b:
                break
            if b.count(0) == len(b):
                o.seek(len(b), 1)
            else:
                o.write(b)
        o.truncate()


def tree(img):
    """What Linux sees in a clean image, or None where it cannot be mounted here."""
    mnt = tempfile.mkdtemp(prefix="extant-crash-")
    try:
        if subprocess.run(["mount", "-t", "ext4", "-o", "loop,ro", img, mnt], stderr=subprocess.DEVNULL).returncode:
            return None
        try:
            out = {}
            for top, dirs, files in os.walk(mnt):
                for n in dirs + files:
                    p = os.path.join(top, n)
                    st = os.lstat(p)
                    digest = ""
                    if os.path.isfile(p) and not os.path.islink(p):
                        with open(p, "rb") as f:
                            digest = hashlib.file_digest(f, "sha256").hexdigest()
                    out[os.path.relpath(p, mnt)] = (st.st_mode, st.st_size if os.path.isfile(p) else 0, st.st_nlink, digest)
            return out
        finally:
            subprocess.run(["umount", mnt], check=True)
    finally:
        os.rmdir(mnt)


def judge(extant, state, work):
    """One state: replayed by e2fsck, by extant; then both checked, and what Linux sees in both compared."""
    ours, theirs = os.path.join(work, "ours.img"), os.path.join(work, "theirs.img")
    shutil.copyfile(state, ours)
    shutil.copyfile(state, theirs)
    subprocess.run(["e2fsck", "-fy", "-E", "journal_only", theirs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    p = subprocess.run(["e2fsck", "-fp", theirs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode > 1:
        return "e2fsck on the state: " + p.stdout[-300:]
    script = os.path.join(work, "nothing.wl")
    with open(script, "w") as f:
        f.write("# mount and unmount\n")
    p = subprocess.run([extant, "run", "-o", "dialect=6.18,noinit_itable", ours, script], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if p.returncode:
        return "extant on the state: " + p.stdout
    p = subprocess.run(["e2fsck", "-fn", ours], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode:
        return "e2fsck after extant's recovery: " + p.stdout[-300:]
    a, b = tree(ours), tree(theirs)
    if a != b:
        return "trees differ: extant %s, e2fsck %s" % (sorted(set(a.items()) - set(b.items()))[:3],
                                                      sorted(set(b.items()) - set(a.items()))[:3])
    return None


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("sweep")
    a.add_argument("extant")
    a.add_argument("--golden", default=os.path.join(HERE, "..", "golden", "4.9"))
    a.add_argument("--only", nargs="+", default=SCRIPTS)
    a.add_argument("--random", type=int, default=1000)
    a.add_argument("--nested", type=int, default=40)
    a.add_argument("--judged", type=int, default=3)
    a.add_argument("--seed", type=int, default=1)
    o = a.parse_args()
    if not shutil.which("e2fsck"):
        print("skipped: e2fsck is missing")
        return 77
    rnd, bad, states = random.Random(o.seed), 0, 0
    for name in sorted(os.listdir(o.golden)):
        d = os.path.join(o.golden, name)
        if not os.path.exists(os.path.join(d, "meta.json")) or not name.startswith(tuple(o.only)):
            continue
        with open(os.path.join(d, "meta.json")) as f:
            meta = json.load(f)
        work = tempfile.mkdtemp(prefix="extant-crash-")
        try:
            img = os.path.join(work, "base.img")
            unpack(os.path.join(o.golden, "images", meta["base_image"]), img)
            cmd = [o.sweep, "-o", meta["mount"], "--random", str(o.random), "--seed", str(o.seed)]
            script = os.path.join(d, "workload.wl")
            p = subprocess.run(cmd + ["--nested", str(o.nested), img, script], stdout=subprocess.PIPE, text=True)
            print(name, p.stdout.strip(), flush=True)
            if p.returncode:
                bad += 1
                continue
            told = json.loads(p.stdout)
            states += told["states"]
            for n in rnd.sample(range(told["all"]), min(o.judged, told["all"])):
                state = os.path.join(work, "state.img")
                subprocess.run(cmd + ["--only", str(n), "--save", state, img, script], stdout=subprocess.DEVNULL, check=True)
                why = judge(o.extant, state, work)
                if why:
                    bad += 1
                    print("%s state %d (seed %d): %s" % (name, n, o.seed, why), flush=True)
        finally:
            shutil.rmtree(work)
    print("%d states, %d failures" % (states, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
