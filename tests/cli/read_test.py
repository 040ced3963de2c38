#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The commands that look into an image, on images of many kinds, against what debugfs and dumpe2fs say;
none of them changes a byte."""
import os
import re
import stat
import subprocess

from support import CliTest, DAMAGED, DONE, ENVIRONMENT, READERS, REFUSED, Run, main, mke2fs_knows, tool

KINDS = {
    "defaults": [],
    "4k": ["-b", "4096"],
    "1k": ["-b", "1024"],
    "no journal": ["-O", "^has_journal"],
    "no checksums": ["-O", "^metadata_csum"],
    "uninit_bg": ["-O", "^metadata_csum,uninit_bg"],
    "32 bit": ["-O", "^64bit"],
    "no extents": ["-O", "^extent,^64bit"],
    "inodes of 128": ["-I", "128"],
    "small groups": ["-b", "1024", "-g", "1024", "-G", "4"],
    "meta_bg": ["-O", "meta_bg,^resize_inode"],
    "sparse_super2": ["-O", "sparse_super2"],
}


class Reading(CliTest):
    def each_kind(self):
        for what, args in KINDS.items():
            image = self.filled(*args)
            with self.subTest(what), self.unchanged(image):
                yield image
        newest = "orphan_file,metadata_csum_seed"
        if mke2fs_knows(newest):
            image = self.filled("-O", newest)
            with self.subTest(newest), self.unchanged(image):
                yield image

    def test_all_on_all(self):
        for image in self.each_kind():
            for name, words in READERS.items():
                self.run_ok(name, image, *words)
                if name in ("info", "ls", "stat", "replay"):
                    document = self.run_ok(name, "--json", image, *words).json
                    self.assertEqual(document["version"], 1)
                    self.assertEqual(document["image"], image)

    def test_contents(self):
        for image in self.each_kind():
            self.assertEqual(self.run_ok("cat", image, "/a", "/dir/b", "l").out,
                             b"five\n" + 2 * bytes(range(256)) * 40)
            self.assertEqual(self.run_ok("ls", image).text, "a\ndir\nl\nlost+found\n")

    # ---- info

    def dumpe2fs(self, image):
        text = subprocess.run([tool("dumpe2fs"), "-h", image], stdout=subprocess.PIPE, check=True,
                              stderr=subprocess.DEVNULL, env=ENVIRONMENT).stdout.decode()
        return dict(re.findall(r"^([^:\n]+):\s*(.*)$", text, re.MULTILINE))

    def test_info(self):
        for image in self.each_kind():
            theirs, ours = self.dumpe2fs(image), self.run_ok("info", "--json", image).json
            s = ours["superblock"]
            self.assertEqual(s["uuid"], theirs["Filesystem UUID"])
            self.assertEqual(sorted(s["features"]), sorted(theirs["Filesystem features"].split()))
            for key, name in (("blocks", "Block count"), ("free_blocks", "Free blocks"),
                              ("inodes", "Inode count"), ("free_inodes", "Free inodes"),
                              ("block_size", "Block size"), ("inode_size", "Inode size"),
                              ("reserved_blocks", "Reserved block count"),
                              ("blocks_per_group", "Blocks per group"),
                              ("inodes_per_group", "Inodes per group")):
                self.assertEqual(s[key], int(theirs[name]), key)
            self.assertEqual("journal" in ours, "has_journal" in s["features"])
            self.assertEqual(len(ours["groups"]), ours["group_count"])
            self.assertEqual(sum(g["free_inodes"] for g in ours["groups"]), s["free_inodes"])
            self.assertEqual(sum(g["free_blocks"] for g in ours["groups"]), s["free_blocks"])
            self.assertNotIn("groups", self.run_ok("info", "-s", "--json", image).json)

    def test_info_text(self):
        image = self.filled("-L", "a label")
        text = self.run_ok("info", image).text
        self.assertRegex(text, r"(?m)^  label: +a label$")
        self.assertRegex(text, r"(?m)^  features: +has_journal ext_attr ")
        self.assertRegex(text, r"(?m)^  group 0, first block \d+, blocks \d+, free blocks")
        self.assertRegex(text, r"(?m)^  state: +clean$")

    # ---- ls

    def test_ls(self):
        image = self.filled()
        self.assertEqual(self.run_ok("ls", image, "/dir").text, "b\n")
        self.assertEqual(self.run_ok("ls", image, "/a", "l", "dir").text, "/a\nl\ndir:\nb\n".replace(
            "dir:", "\ndir:"))
        self.assertEqual(self.run_ok("ls", "-a", image, "/dir").text, ".\n..\nb\n")
        self.assertEqual(self.run_ok("ls", "-R", image).text,
                         "/:\na\ndir\nl\nlost+found\n\n/dir:\nb\n\n/lost+found:\n")
        lines = self.run_ok("ls", "-l", image).text.splitlines()
        self.assertRegex(lines[0], r"^-rw-r--r-- 1 0 0 +5 \d{4}-\d\d-\d\d \d\d:\d\d a$")
        self.assertRegex(lines[1], r"^drwxr-xr-x 2 0 0 ")
        self.assertRegex(lines[2], r"^lrwxrwxrwx 1 0 0 +5 .* l -> dir/b$")

    def test_ls_json(self):
        image = self.filled()
        root, sub, lost = self.run_ok("ls", "-lR", "--json", image).json["listings"]
        self.assertEqual([root["path"], sub["path"], lost["path"]], ["/", "/dir", "/lost+found"])
        by_name = {e["name"]: e for e in root["entries"]}
        self.assertEqual(sorted(by_name), ["a", "dir", "l", "lost+found"])
        self.assertEqual(by_name["a"]["size"], 5)
        self.assertEqual(by_name["a"]["type"], "regular file")
        self.assertEqual(by_name["l"]["target"], "dir/b")
        self.assertTrue(stat.S_ISDIR(by_name["dir"]["mode"]))
        plain = self.run_ok("ls", "--json", image).json["listings"][0]["entries"]
        self.assertEqual({e["name"]: e["ino"] for e in plain}, {n: e["ino"] for n, e in by_name.items()})

    def test_names_that_are_no_text(self):
        image = self.mkfs()
        for name in (b"\xff\xfe", b"tab\there", b'quote"back\\slash', "\u00fc\U0001f600".encode(), b"\xed\xa0\x80"):
            self.run_ok("put", image, "-", os.fsdecode(b"/" + name))
        listed = self.run_ok("ls", "--json", image).json["listings"][0]["entries"]
        self.assertEqual(sorted(os.fsencode(e["name"]) for e in listed if e["name"] != "lost+found"),
                         sorted([b"\xff\xfe", b"tab\there", b'quote"back\\slash',
                                 "\u00fc\U0001f600".encode(), b"\xed\xa0\x80"]))

    def test_circles(self):
        """A tree that leads back into itself is damage, and listing it ends."""
        image = self.filled()
        self.debugfs(image, "mkdir dir/below", "link dir dir/below/back", "link dir/below z")
        with self.unchanged(image):
            r = Run("ls", "-R", image)
            self.assertEqual(r.status, DAMAGED, str(r))
            self.assertIn("/dir/below/back: inode", r.err)
            self.assertIn("leads back", r.err)
            self.assertEqual(r.text.count("/below:\n"), 1)
            self.run_ok("ls", "-R", image, "/lost+found", "/lost+found")

    # ---- stat

    def test_stat(self):
        image = self.filled()
        theirs = self.debugfs(image, "stat /dir/b")
        a, l, b = self.run_ok("stat", "--json", image, "/a", "l", "dir/b").json["files"]
        self.assertEqual((a["size"], a["nlink"], a["type"]), (5, 1, "regular file"))
        self.assertEqual(l["type"], "symbolic link")
        self.assertEqual(b["ino"], int(re.search(r"Inode: (\d+)", theirs).group(1)))
        self.assertEqual(b["sectors"], int(re.search(r"Blockcount: (\d+)", theirs).group(1)))
        self.assertEqual(b["flags_text"], "e")
        self.assertEqual(self.run_ok("stat", "-L", "--json", image, "l").json["files"][0]["ino"], b["ino"])
        block = int(re.search(r"\(0-\d+\):(\d+)", theirs).group(1))
        extents = self.run_ok("stat", "-x", "--json", image, "dir/b").json["files"][0]["extents"]
        self.assertEqual(extents[0]["physical"], block * a["block_size"])
        self.assertEqual(extents[0]["logical"], 0)
        self.assertEqual(extents[0]["state"], "written")
        text = self.run_ok("stat", image, "/a").text
        self.assertIn("regular file", text)
        self.assertIn("0644 -rw-r--r--", text)

    # ---- get

    def test_get(self):
        image = self.filled()
        self.debugfs(image, "sif /a mode 0100600")
        self.run_ok("get", image, "/a", self.path("out"))
        self.run_ok("get", image, "/dir/b", self.dir)
        with open(self.path("out")) as f:
            self.assertEqual(f.read(), "five\n")
        self.assertEqual(os.stat(self.path("out")).st_mode & 0o7777, 0o600)
        self.assertEqual(os.path.getsize(self.path("b")), 10240)
        self.assertEqual(self.run_ok("get", image, "/a", "-").out, b"five\n")
        self.run_ok("get", image, "/dir/b", self.path("out"))   # longer, over the other
        self.assertEqual(os.path.getsize(self.path("out")), 10240)

    def test_holes(self):
        image, source, back = self.mkfs(), self.path("sparse"), self.path("back")
        with open(source, "wb") as f:
            f.truncate(3 << 20)
            for at in (5, 1 << 20, (3 << 20) - 1):
                f.seek(at)
                f.write(b"x")
        self.run_ok("put", image, source, "/s")
        self.run_ok("get", image, "/s", back)
        self.assertEqual(self.digest(back), self.digest(source))
        self.assertLess(self.run_ok("stat", "--json", image, "/s").json["files"][0]["sectors"], 64)
        self.assertLess(os.stat(back).st_blocks, 256)
        self.check(image)

    # ---- what is not there

    def test_no_such_file(self):
        image = self.filled()
        with self.unchanged(image):
            for words in (["ls", image, "/no"], ["cat", image, "/no"], ["stat", image, "/no"],
                          ["get", image, "/no", self.path("x")]):
                self.run_fails(REFUSED, *words, says=["test.img: /no: no such file or directory"])
            self.run_fails(REFUSED, "cat", image, "/dir", says="/dir: is a directory")
            self.run_fails(REFUSED, "get", image, "/dir", self.path("x"), says="/dir: is a directory")
            self.run_fails(REFUSED, "cat", image, "/a/b", says="no directory")
            self.assertFalse(os.path.exists(self.path("x")))

    def test_the_rest_is_done(self):
        image = self.filled()
        r = Run("cat", image, "/a", "/no", "/a")
        self.assertEqual((r.status, r.out), (REFUSED, b"five\nfive\n"), str(r))
        self.assertEqual(r.err.count("\n"), 1)

    # ---- part of a disk

    def test_part_of_a_disk(self):
        image, disk = self.filled(), self.path("disk.img")
        with open(image, "rb") as f, open(disk, "wb") as d:
            d.truncate(40 << 20)
            entry = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + \
                (len(f.read()) // 512).to_bytes(4, "little")
            f.seek(0)
            d.seek(446 + 16)
            d.write(entry)
            d.seek(510)
            d.write(b"\x55\xaa")
            d.seek(1 << 20)
            d.write(f.read())
        for options in ("offset=1048576", "partition=2"):
            self.assertEqual(self.run_ok("cat", "-o", options, disk, "/a").out, b"five\n")
            self.run_ok("put", "-o", options, disk, "-", "/" + options, stdin=b"new")
        self.assertEqual(self.run_ok("ls", "-o", "partition=2", disk).text.split(),
                         ["a", "dir", "l", "lost+found", "offset=1048576", "partition=2"])
        self.run_fails(2, "ls", "-o", "partition=3", disk, says="partition 3")

    def test_backup_superblock(self):
        image = self.filled("-b", "1024", "-g", "8192")
        with open(image, "r+b") as f:
            f.seek(1024)
            f.write(bytes(1024))
        with self.unchanged(image):
            self.run_fails(4, "cat", image, "/a", says="sb=")
            self.assertEqual(self.run_ok("cat", "-o", "sb=8193", image, "/a").out, b"five\n")
            self.assertEqual(Run("info", "-o", "sb=8193", image).status, DONE)


if __name__ == "__main__":
    main()
