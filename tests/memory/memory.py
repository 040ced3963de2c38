#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Memory is bounded by cache_mb, whatever the image holds and whatever passes through.

    memory.py MEMORY EXTANT [--whole] [--keep DIR]

On a sparse image of 16 GiB: a stream is written and read, blocks of a file far from each other too, many inodes are made and walked, each in a process of its
own (MEMORY, which see), with cache_mb=8; `extant run` writes and reads a large file with two sizes of the cache. The
peak of each process stays within its limit, and a mount reads little of the image. --whole takes the full amounts
(2 GiB, a million inodes; minutes), else a part of them with limits in proportion. Exit 77 without mke2fs.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time

MOUNT_READ_MAX = 4 << 20        # an orphan file of 512 blocks is the largest thing that a mount must read
RUN_ABOVE_CACHE = 32 << 10      # KiB

#         stream MiB, peak KiB   blocks apart, peak KiB  inodes, peak KiB    extant run: MiB, and the caches in MiB
SLICE = ((64, 32 << 10), (2000, 24 << 10), (20000, 24 << 10), (128, (8, 64)))
WHOLE = ((2048, 40 << 10), (50000, 40 << 10), (1000000, 40 << 10), (2048, (8, 256)))


class Failed(Exception):
    pass


def make_image(path, inodes):
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "orphan_file,metadata_csum_seed", "-N", str(inodes),
                    path, "16G"], check=True, stdout=subprocess.DEVNULL)


def judge(what, peak_kib, limit_kib, seconds):
    print("%-44s %6d KiB of %6d, %6.1f s" % (what, peak_kib, limit_kib, seconds), flush=True)
    if not 0 < peak_kib <= limit_kib:
        raise Failed("%s: a peak of %d KiB, %d are allowed" % (what, peak_kib, limit_kib))


def work(memory, img, name, amount, limit_kib):
    began = time.time()
    p = subprocess.run([memory, "-o", "cache_mb=8", name, img, str(amount)], stdout=subprocess.PIPE, text=True)
    if p.returncode:
        raise Failed("%s %s: exit %d" % (name, amount, p.returncode))
    told = json.loads(p.stdout)
    judge("%s %s" % (name, amount or ""), told["peak_kib"], limit_kib, time.time() - began)
    if told["mount_read_bytes"] > MOUNT_READ_MAX:
        raise Failed("%s: the mount read %d bytes" % (name, told["mount_read_bytes"]))


def write_script(path, mib):
    with open(path, "w") as f:
        f.write("open fd=0 /big O_CREAT|O_RDWR 0644\nwrite fd=0 len=%dM fill=pat:1 chunk=1M\nfsync fd=0\n" % mib)
        for i in range(0, mib, 2):
            f.write("pread fd=0 off=%dM len=2M\n" % i)
        for i in range(1000):
            f.write("open fd=1 /n%d O_CREAT|O_WRONLY 0644\nwrite fd=1 len=3K fill=n\nclose fd=1\n" % i)
        f.write("readdir /\nftruncate fd=0 len=1M\nclose fd=0\n")


def run(extant, img, script, results, cache_mb):
    began = time.time()
    p = subprocess.Popen([extant, "run", "-o", "cache_mb=%d" % cache_mb, "--results", results, img, script])
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    with open(results) as f:
        failed = [line for line in f if '"errno"' in line]
    if status or failed:
        raise Failed("extant run: status %d, %s" % (status, failed[:1]))
    judge("extant run, cache_mb=%d" % cache_mb, usage.ru_maxrss, (cache_mb << 10) + RUN_ABOVE_CACHE, time.time() - began)


def check(memory, extant, whole, keep):
    (stream, stream_kib), (blocks, blocks_kib), (inodes, inodes_kib), (mib, caches) = WHOLE if whole else SLICE
    img, script, results = (os.path.join(keep, n) for n in ("memory.img", "memory.wl", "memory.jsonl"))
    make_image(img, inodes + inodes // 10)
    work(memory, img, "mount", 0, 12 << 10)
    work(memory, img, "stream", stream, stream_kib)
    work(memory, img, "sparse", blocks, blocks_kib)
    work(memory, img, "make", inodes, inodes_kib)
    work(memory, img, "walk", inodes, inodes_kib)
    write_script(script, mib)
    for cache_mb in caches:
        make_image(img, 10000)
        run(extant, img, script, results, cache_mb)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("memory")
    a.add_argument("extant")
    a.add_argument("--whole", action="store_true")
    a.add_argument("--keep", help="a directory for the image, which stays")
    o = a.parse_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("mke2fs"):
        print("skipped: mke2fs is needed")
        return 77
    try:
        if o.keep:
            check(o.memory, o.extant, o.whole, o.keep)
        else:
            with tempfile.TemporaryDirectory(prefix="extant-memory-") as work_dir:
                check(o.memory, o.extant, o.whole, work_dir)
    except Failed as e:
        print(e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
