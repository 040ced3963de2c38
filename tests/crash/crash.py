#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The states of a power failure behind each recorded script: own recovery and check on all, Linux and e2fsck on some.

    crash.py SWEEP EXTANT [--golden DIR] [--only NAME...] [--random N] [--nested EVERY] [--judged N] [--seed S]

For each script: `sweep` visits every prefix, every write lost or torn and N random states; --judged states drawn from
the seed are written out, and three copies of each recovered: by e2fsck, which must find nothing but a journal to
replay and orphans; by extant; and, where root and loop devices are there, by Linux, which mounts it. e2fsck finds
nothing in any of them afterwards, and Linux sees the same tree in all. Exit 1 when anything differs, 77 without e2fsck.
"""
import argparse, hashlib, json, lzma, os, random, shutil, subprocess, sys, tempfile

from journal import journal_option

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))
import loopmount
SCRIPTS = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "20",
           "21", "23", "24", "25", "29", "31", "32", "33", "34", "35")


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


class Mounted(loopmount.Mounted):
    """with Mounted(image, options) as directory: ...; None where Linux does not mount it."""

    def __enter__(self):
        try:
            self.mounted = True
            return super().__enter__()
        except loopmount.Failed:
            self.mounted = False
            return None

    def __exit__(self, *error):
        if self.mounted:
            super().__exit__(*error)


def tree(img):
    """What Linux sees in a clean image, or None where it cannot be mounted here."""
    with Mounted(img, "ro") as top:
        if top is None:
            return None
        out = {}
        for d, dirs, files in os.walk(top):
            for n in dirs + files:
                p = os.path.join(d, n)
                st = os.lstat(p)
                digest = ""
                if os.path.isfile(p) and not os.path.islink(p):
                    with open(p, "rb") as f:
                        digest = hashlib.file_digest(f, "sha256").hexdigest()
                out[os.path.relpath(p, top)] = (st.st_ino, st.st_mode, st.st_size if os.path.isfile(p) else 0, st.st_nlink, digest)
        return out


# ---- three ways to recover a state; each says what went wrong, or nothing

def run(args):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def by_e2fsck(extant, image, work):
    run(["e2fsck", "-fy", "-E", "journal_only", image])
    p = run(["e2fsck", "-fp", image])
    return p.stdout[-300:] if p.returncode > 1 else ""


def by_extant(extant, image, work):
    script = os.path.join(work, "nothing.wl")
    with open(script, "w") as f:
        f.write("# mount and unmount\n")
    p = run([extant, "run", "-o", "dialect=6.18,noinit_itable", image, script])
    return p.stdout if p.returncode else ""


def by_linux(extant, image, work):
    with Mounted(image, "rw,noinit_itable"):
        return ""


def judge(extant, state, work):
    """One state, recovered in each way; what is wrong, or None; and whether Linux could be asked."""
    trees, asked = {}, False
    with Mounted(state, "ro,noload") as top:
        asked = top is not None
    for who, recover in [("e2fsck", by_e2fsck), ("extant", by_extant)] + ([("linux", by_linux)] if asked else []):
        image = os.path.join(work, who + ".img")
        subprocess.run(["cp", "--sparse=always", state, image], check=True)
        why = recover(extant, image, work)
        if why:
            return "%s on the state: %s" % (who, why), asked
        p = run(["e2fsck", "-fn", image])
        if p.returncode:
            return "e2fsck after %s: %s" % (who, p.stdout[-300:]), asked
        trees[who] = tree(image)
    for who in trees:
        a, b = trees["e2fsck"], trees[who]
        if a != b:
            return "trees differ: e2fsck %s, %s %s" % (sorted(set(a.items()) - set(b.items()))[:3], who,
                                                      sorted(set(b.items()) - set(a.items()))[:3]), asked
    return None, asked


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
    loopmount.own_namespace()
    rnd, bad, states, judged, asked = random.Random(o.seed), 0, 0, 0, 0
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
            cmd = [o.sweep, "-o", meta["mount"], "--random", str(o.random), "--seed", str(o.seed)] + journal_option(img)
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
                why, by_kernel = judge(o.extant, state, work)
                judged += 1
                asked += by_kernel
                if why:
                    bad += 1
                    print("%s state %d (seed %d): %s" % (name, n, o.seed, why), flush=True)
        finally:
            shutil.rmtree(work)
    print("%d states; %d judged by e2fsck, %d of them by Linux; %d failures" % (states, judged, asked, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
