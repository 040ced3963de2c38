#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each allocation and each device call of each operation failed in turn; of some states e2fsck is asked too.

    faults.py FAULTS [--every N] [--recorded] [--judged N] [--seed S]

Runs `faults` (which see) with every script of scripts/, and with --recorded the recorded ones, on small images of
several shapes. --judged states of each are written out as they were left: e2fsck replays the journal, and then must find
nothing. Exit 1 when a point failed, 77 where e2fsprogs are missing.
"""
import argparse, json, lzma, os, random, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "4.9")
SHAPES = (
    ("modern", "-O orphan_file,metadata_csum_seed", "16M", ""),
    ("1k", "-b 1024", "8M", ""),
    ("old", "-b 1024 -O ^64bit,^metadata_csum,^flex_bg,uninit_bg", "8M", ""),
    ("journal", "-b 1024 -O orphan_file", "8M", "data=journal"),
    ("writeback", "", "8M", "data=writeback"),
    ("bare", "-O ^has_journal", "8M", ""),
)
KINDS = ("alloc", "io", "io-forever")


def shape_image(work, name, options, size):
    img = os.path.join(work, name + ".img")
    if not os.path.exists(img):
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", "6b1b0a0e-3b7a-4d29-9c43-4f1d5ad3c0f1"] +
                       options.split() + [img, size], check=True, stdout=subprocess.DEVNULL)
    return img


def cases(work, recorded):
    scripts = sorted(os.listdir(os.path.join(HERE, "scripts")))
    for name, options, size, mount in SHAPES:
        for s in scripts:
            yield name, shape_image(work, name, options, size), os.path.join(HERE, "scripts", s), mount
    for d in sorted(os.listdir(GOLDEN)) if recorded else ():
        meta_path = os.path.join(GOLDEN, d, "meta.json")
        if not os.path.exists(meta_path):
            continue
        with open(meta_path) as f:
            meta = json.load(f)
        img = os.path.join(work, meta["base_image"] + ".img")
        if not os.path.exists(img):
            with lzma.open(os.path.join(GOLDEN, "images", meta["base_image"])) as f, open(img, "wb") as o:
                shutil.copyfileobj(f, o)
        yield "recorded", img, os.path.join(GOLDEN, d, "workload.wl"), meta["mount"]


def judge(state):
    """The verdict of e2fsck on a state, its journal replayed: None, or what it said."""
    subprocess.run(["e2fsck", "-fy", "-E", "journal_only", state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Orphans, which the next mount finishes, and free counts that lag are what -p puts in order without a word of damage.
    p = subprocess.run(["e2fsck", "-fp", state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode > 1:
        return p.stdout[-300:]
    p = subprocess.run(["e2fsck", "-fn", state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.stdout[-300:] if p.returncode else None


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("faults")
    a.add_argument("--every", type=int, default=1)
    a.add_argument("--recorded", action="store_true")
    a.add_argument("--judged", type=int, default=1)
    a.add_argument("--seed", type=int, default=1)
    o = a.parse_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("e2fsck") or not shutil.which("mke2fs"):
        print("skipped: e2fsck and mke2fs are needed")
        return 77
    rnd, bad, runs, judged = random.Random(o.seed), 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="extant-faults-") as work:
        for shape, img, script, mount in cases(work, o.recorded):
            for kind in KINDS:
                cmd = [o.faults, "-o", mount, "--kind", kind, img, script]
                cmd[1:1] = ["--unjudged"] if shape == "bare" else []    # without a journal, what fails leaves what it leaves
                p = subprocess.run(cmd + ["--every", str(o.every)], stdout=subprocess.PIPE, text=True)
                print(shape, p.stdout.strip() or "exit %d" % p.returncode, flush=True)
                if p.returncode:
                    bad += 1
                    continue
                told = json.loads(p.stdout)
                runs += told["runs"]
                if shape == "bare":
                    continue
                for n in rnd.sample(range(told["points"]), min(o.judged, told["points"])):
                    state = os.path.join(work, "state.img")
                    subprocess.run(cmd + ["--only", str(n), "--save", state], stdout=subprocess.DEVNULL, check=True)
                    why = judge(state)
                    judged += 1
                    if why:
                        bad += 1
                        print("%s %s %s: point %d: e2fsck: %s" % (shape, script, kind, n, why), flush=True)
    print("%d runs, %d states judged by e2fsck, %d failures" % (runs, judged, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
