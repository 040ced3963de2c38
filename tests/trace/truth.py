#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The events tell the truth: what they say was done is what the image shows.

    truth.py EXTANT [--golden DIR] [SCRIPT...]

For each script, run on a fresh image:
  blocks    the block bitmap afterwards is the one before, plus every ext4_allocate_blocks, less every ext4_mballoc_free
  log       blocks_logged of each jbd2_run_stats is what the log holds of that transaction (descriptors, revokes, blocks)
  credits   no handle dirtied more blocks than it asked for, extensions and restarts included
Reads bitmaps with dumpe2fs, the journal by itself. Exit 1 when something differs, 77 without e2fsprogs.
"""
import argparse, os, re, shutil, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = ("02-create-write-fsync", "04-write-shapes", "05-write-1mib", "06-append", "07-sync-kinds", "08-syncfs",
           "24-data-journal", "25-data-writeback")
MKFS = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=8", "-E", "lazy_itable_init=0"]


def free_blocks(img):
    """The free blocks, as the block bitmaps have them."""
    text = subprocess.run(["dumpe2fs", img], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    out = set()
    for line in re.findall(r"^  Free blocks: (.*)$", text, re.M):
        for part in filter(None, (p.strip() for p in line.split(","))):
            a, _, b = part.partition("-")
            out.update(range(int(a), int(b or a) + 1))
    return out


def journal_blocks(img):
    text = subprocess.run(["debugfs", "-R", "blocks <8>", img], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [int(x) for x in text.split()]


def logged(img):
    """tid -> blocks of the log that its commit vouches for (all but the commit block), in a log that never wrapped."""
    where, out = journal_blocks(img), {}
    with open(img, "rb") as f:
        def block(n):
            f.seek(where[n] * 4096)
            return f.read(4096)
        incompat = struct.unpack(">I", block(0)[0x28:0x2c])[0]
        v3, wide = incompat & 0x10, incompat & 2
        size = 16 if v3 else (12 if wide else 8) + (2 if incompat & 8 else 0)
        n, count = 1, 0
        while n < len(where):
            b = block(n)
            magic, kind, tid = struct.unpack(">III", b[:12])
            if magic != 0xc03b3998:
                break
            count += 1
            n += 1
            if kind == 1:
                at, last = 12, False
                while not last:
                    flags = struct.unpack(">I", b[at + 4:at + 8])[0] if v3 else struct.unpack(">H", b[at + 6:at + 8])[0]
                    at += size + (0 if flags & 2 else 16)
                    last = flags & 8
                    n, count = n + 1, count + 1
            elif kind == 2:
                out[tid], count = count - 1, 0
            elif kind != 5:
                break
    return out


def check(extant, script, options, work):
    img, trace = os.path.join(work, "fs.img"), os.path.join(work, "trace.txt")
    with open(img, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(MKFS + [img], check=True, stderr=subprocess.DEVNULL)
    before = free_blocks(img)
    p = subprocess.run([extant, "run", "-o", options, "--trace", trace, img, script], stderr=subprocess.PIPE, text=True)
    if p.returncode:
        return ["the script does not run: " + p.stderr.strip()]
    after, wrong, asked, told = free_blocks(img), [], {}, {}
    free = set(before)
    with open(trace) as f:
        for line in f:
            task = line.split("[")[0].strip()
            m = re.search(r": (\w+): (.*)$", line)
            if not m:
                continue
            ev, text = m.groups()
            num = lambda name: int(re.search(r"\b%s (\d+)" % name, text).group(1))
            if ev == "ext4_allocate_blocks":
                got = set(range(num("block"), num("block") + num("len")))
                if not got <= free:
                    wrong.append("allocated what was not free: " + text)
                free -= got
            elif ev == "ext4_mballoc_free":
                g, start, length = map(int, re.search(r"extent (\d+)/(\d+)/(\d+)", text).groups())
                free |= set(range(g * 32768 + start, g * 32768 + start + length))
            elif ev == "jbd2_handle_start":
                asked[task] = num("requested_blocks")
            elif ev == "jbd2_handle_extend" and task in asked:
                asked[task] += num("requested_blocks")
            elif ev == "jbd2_handle_stats":
                if num("dirtied_blocks") > max(num("requested_blocks"), asked.get(task, 0)):
                    wrong.append("more dirtied than asked for: " + text)
            elif ev == "jbd2_run_stats":
                told[num("tid")] = num("blocks_logged")
    if free != after:
        wrong.append("bitmap: %d blocks differ, first %s" % (len(free ^ after), sorted(free ^ after)[:5]))
    held = logged(img)
    for tid, n in sorted(held.items()):
        if tid in told and told[tid] != n:
            wrong.append("transaction %d: the log holds %d blocks, the event says %d" % (tid, n, told[tid]))
    if not set(held) & set(told):
        wrong.append("no transaction was found in the log")
    return wrong


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("extant")
    a.add_argument("--golden", default=os.path.join(HERE, "..", "golden", "4.9"))
    a.add_argument("scripts", nargs="*")
    o = a.parse_args()
    missing = [t for t in ("mke2fs", "dumpe2fs", "debugfs") if not shutil.which(t)]
    if missing:
        print("skipped: %s missing" % ", ".join(missing))
        return 77
    runs = [(s, "noinit_itable,commit=600") for s in o.scripts]
    for name in () if o.scripts else SCRIPTS:
        mode = ",data=" + name[8:] if name.startswith("24") or name.startswith("25") else ""
        runs.append((os.path.join(o.golden, name, "workload.wl"), "noinit_itable,commit=600" + mode))
    bad = 0
    for script, options in runs:
        work = tempfile.mkdtemp(prefix="extant-truth-")
        wrong = check(o.extant, script, options, work)
        shutil.rmtree(work)
        print("%s: %s" % (script.split("/")[-2] if script.endswith("workload.wl") else script, "; ".join(wrong) or "true"))
        bad += bool(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
