#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each allocation and each device call of each operation failed in turn, and each room left; of some states others judge.

    faults.py FAULTS [--every N] [--recorded] [--judged N] [--seed S] [--cold] [--only SHAPE...]

Runs `faults` (which see) with every script of scripts/, and with --recorded the recorded ones, on small images of
several shapes. Of --judged states of each, drawn from the seed, e2fsck must find nothing at all (-fn, exit 0) once the
journal is replayed: by extant; and by Linux, which mounts and unmounts the state as it was left. Two states are left to
e2fsck -p first, which finishes orphans and says no word of damage: those whose journal had to stop, because Linux
finishes no orphans where it finds an error recorded; and those with orphans where there is no root or loop device.

With --cold nothing that an operation needs is in memory when it begins: all of it is read in the operation itself.

Without a journal the same is asked where an allocation, one call, or the room failed. A device that fails for good,
or a failure that makes the mount read-only, leaves such an image half written: it is not marked clean, and e2fsck -fy
mends it.
Exit 1 when a point failed, 77 where e2fsprogs are missing.
"""
import argparse, json, lzma, os, random, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import sides

GOLDEN = os.path.join(HERE, "..", "golden", "4.9")
SHAPES = (
    ("modern", "-O orphan_file,metadata_csum_seed", "16M", ""),
    ("1k", "-b 1024", "8M", ""),
    ("old", "-b 1024 -O ^64bit,^metadata_csum,^flex_bg,uninit_bg", "8M", ""),
    ("journal", "-b 1024 -O orphan_file", "8M", "data=journal"),
    ("writeback", "", "8M", "data=writeback"),
    ("maps", "-b 1024 -O ^extent,^64bit", "8M", ""),
    ("bare", "-O ^has_journal", "8M", ""),
)
KINDS = ("alloc", "io", "io-nospc", "io-forever", "space")
FILLS_UP = ("full", "12", "13", "30")   # scripts that meet a full disk on their own: no room is enough for them


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


def e2fsck(state, *how):
    p = subprocess.run(["e2fsck", *how, state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return p.returncode, p.stdout[-400:]


def header(state):
    return subprocess.run(["dumpe2fs", "-h", state], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def replay(state, by_kernel):
    """Replays the journal of a state as it was left; what is wrong, or None."""
    if by_kernel:
        with sides.Mounted(state, "noinit_itable"):
            pass
        # Linux forgets the orphans of a file system with errors; preening does not mend that.
        orphans = "with errors" in header(state)
    else:
        e2fsck(state, "-fy", "-E", "journal_only")
        orphans = "First orphan inode:" in header(state) or "orphan_present" in header(state)
    if orphans:
        code, said = e2fsck(state, "-fy" if by_kernel else "-fp")
        if code > 1:
            return "e2fsck of the orphans: exit %d: %s" % (code, said)
    return clean(state, "Linux" if by_kernel else "e2fsck")


def clean(state, who):
    code, said = e2fsck(state, "-fn")
    return "replayed by %s: e2fsck -fn: exit %d: %s" % (who, code, said) if code else None


def judge(left, replayed, journal, by_kernel):
    """What is wrong with a state, as it was left and as extant replayed it: None, or who said what."""
    told = header(left)
    if not journal or ("has_journal" not in told and "with errors" in told):
        code, said = e2fsck(left, "-fy")
        return "e2fsck -fy: exit %d: %s" % (code, said) if code > 1 else clean(left, "e2fsck -fy")
    return clean(replayed, "extant") or replay(left, by_kernel)


def judge_some(o, cmd, points, rnd, work, journal):
    """--judged of the points, run again one by one and written out."""
    left, replayed = os.path.join(work, "left.img"), os.path.join(work, "replayed.img")
    bad, numbers = 0, rnd.sample(range(points), min(o.judged, points))
    for n in numbers:
        subprocess.run(cmd + ["--only", str(n), "--save", left, "--save-replayed", replayed],
                       stdout=subprocess.DEVNULL, check=True)
        why = judge(left, replayed, journal, o.by_kernel)
        bad += why is not None
        if why:
            print("%s: point %d: %s" % (" ".join(cmd), n, why), flush=True)
    return len(numbers), bad


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("faults")
    a.add_argument("--every", type=int, default=1)
    a.add_argument("--recorded", action="store_true")
    a.add_argument("--judged", type=int, default=1)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--cold", action="store_true")
    a.add_argument("--only", nargs="*")
    o = a.parse_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("e2fsck") or not shutil.which("mke2fs"):
        print("skipped: e2fsck and mke2fs are needed")
        return 77
    o.by_kernel = sides.missing() is None
    if o.by_kernel:
        sides.enter_namespace()
    rnd, bad, runs, judged = random.Random(o.seed), 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="extant-faults-") as work:
        for shape, img, script, mount in cases(work, o.recorded):
            name = os.path.basename(script if script.startswith(HERE) else os.path.dirname(script))
            for kind in KINDS:
                if (o.only and shape not in o.only) or (kind == "space" and name.startswith(FILLS_UP)):
                    continue
                journal = shape != "bare" or kind != "io-forever"
                cmd = [o.faults, "-o", mount, "--kind", kind] + ["--unjudged"] * (not journal) + ["--cold"] * o.cold
                cmd += [img, script]
                print(shape, name, kind, end=": ", flush=True)     # who hangs has said what in
                p = subprocess.run(cmd + ["--every", str(o.every)], stdout=subprocess.PIPE, text=True)
                print(p.stdout.strip() or "exit %d" % p.returncode, flush=True)
                if p.returncode:
                    bad += 1
                    continue
                told = json.loads(p.stdout)
                runs += told["runs"]
                n, wrong = judge_some(o, cmd, told["points"], rnd, work, journal)
                judged, bad = judged + n, bad + wrong
    print("%d runs, %d states judged by e2fsck%s, %d failures" % (runs, judged, " and Linux" if o.by_kernel else "", bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
