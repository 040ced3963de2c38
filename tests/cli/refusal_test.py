#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Images that cannot be used: every command ends with the status that says why, prints one line, and
leaves the image as it was, byte for byte.

Damage is made in the bytes, and the checksums are made right again (interop/ext4img.py), so that what
is refused is the damage and not the checksum; wrong checksums have cases of their own.
"""
import fcntl
import os
import struct
import subprocess
import time

from support import (CliTest, DAMAGED, ENVIRONMENT, EXTANT, IO, Locked, READERS, REFUSED, USAGE,
                     WRITERS, main)
from ext4img import Image, SUPER


def everything():
    """(command, arguments behind the image) of each command, reading and writing."""
    for table in (READERS, WRITERS):
        for name, words in table.items():
            yield name, words


class Refusals(CliTest):
    def refused(self, status, image, says=(), but=(), options=()):
        """By every command."""
        with self.unchanged(image):
            for name, words in everything():
                if name in but:
                    continue
                with self.subTest(command=name, words=words):
                    self.run_fails(status, name, *options, image, *words, says=says)

    def damaged(self, change, seal=True, **keys):
        """An image whose superblock was changed by `change(image)`."""
        path = self.filled(**keys)
        with open(path, "rb") as f:
            image = Image(bytearray(f.read()))
        change(image)
        if seal:
            image.seal_super()
        with open(path, "wb") as f:
            f.write(image.b)
        return path

    # ---- no image

    def test_missing(self):
        for name, words in everything():
            self.run_fails(IO, name, self.path("none.img"), *words, says=["none.img", "No such file"])

    def test_directory(self):
        for name, words in everything():
            self.run_fails(USAGE, name, self.dir, *words, says="neither a file nor a block device")

    def test_no_permission(self):
        image = self.filled()
        os.chmod(image, 0)
        if os.access(image, os.R_OK):
            self.skipTest("root may do anything")
        self.refused(IO, image, says="ermission")

    # ---- no ext4

    def test_not_ext4(self):
        for content in (b"", b"text\n", bytes(1 << 20), os.urandom(1 << 20)):
            image = self.path("other.img")
            with open(image, "wb") as f:
                f.write(content)
            self.refused(DAMAGED, image, says=["other.img", "superblock"])

    def test_wrong_place(self):
        image = self.filled()
        self.refused(DAMAGED, image, says="superblock", options=["-o", "offset=65536"])

    # ---- a superblock that cannot be

    def test_checksum(self):
        image = self.damaged(lambda i: i.put(SUPER + 0x78, 4, 0x41414141), seal=False)
        self.refused(DAMAGED, image, says=["superblock", "checksum"])

    def test_geometry(self):
        fields = {              # offset, size, values that cannot be
            0x18: (4, [7, 60, 0xffffffff]),             # block size
            0x04: (4, [0, 0xfffffff0]),                 # blocks
            0x20: (4, [0, 1, 0xffffffff]),              # blocks per group
            0x28: (4, [0, 7, 0xffffffff]),              # inodes per group
            0x58: (2, [0, 64, 3000, 0xffff]),           # inode size
            0x14: (4, [0xffffffff]),                    # first data block
            0xfe: (2, [16, 48, 0xffff]),                # descriptor size
            0x00: (4, [0, 0xffffffff]),                 # inodes
        }
        for at, (size, values) in fields.items():
            for value in values:
                image = self.damaged(lambda i: i.put(SUPER + at, size, value))
                with self.subTest(at=hex(at), value=value):
                    self.refused(DAMAGED, image, says="superblock", but=["run", "trace"])

    def test_unknown_features(self):
        def add(offset, bit):
            return lambda i: i.put(SUPER + offset, 4, i.get(SUPER + offset, 4) | bit)
        self.refused(DAMAGED, self.damaged(add(0x60, 1 << 30)), says=["FEATURE_I30", "this version"])
        self.refused(DAMAGED, self.damaged(add(0x60, 0x8000)), says=["inline_data", "this version"])

    def test_features_that_are_only_read(self):
        image = self.damaged(lambda i: i.put(SUPER + 0x64, 4, i.get(SUPER + 0x64, 4) | 1 << 27))
        with self.unchanged(image):
            self.assertIn(b"five", self.run_ok("cat", image, "/a").out)
            self.run_fails(REFUSED, "mkdir", image, "/x", says=["read-only", "FEATURE_R27"])
            self.run_fails(REFUSED, "put", image, "-", "/x", says=["read-only", "FEATURE_R27"])
            self.run_fails(REFUSED, "rm", image, "/a", says=["read-only", "FEATURE_R27"])

    # ---- behind the superblock

    def test_descriptor(self):
        def far_away(i):
            i.put(i.desc(0), 4, 0xfffffff)
            i.seal_desc(0)
        self.refused(DAMAGED, self.damaged(far_away), says=["group 0", "bitmap"])

    def test_journal(self):
        def journal(change):
            def damage(i):
                at = i.data(8)[0] * i.bs
                change(i, at)
                i.seal_journal(at)
            return damage
        cases = {
            "magic": journal(lambda i, at: i.put_be(at, 0x12345678)),
            "block size": journal(lambda i, at: i.put_be(at + 12, 77)),
            "length": journal(lambda i, at: i.put_be(at + 16, 1 << 30)),
            "feature": journal(lambda i, at: i.put_be(at + 0x28, 1 << 20)),
            "start": journal(lambda i, at: i.put_be(at + 0x1c, 1 << 20)),
        }
        for what, change in cases.items():
            with self.subTest(what):
                self.refused(DAMAGED, self.damaged(change), says="journal")

    def test_root(self):
        def no_directory(i):
            i.put(i.inode(2), 2, 0o100644)
            i.seal_inode(2)
        image = self.damaged(no_directory)
        with self.unchanged(image):
            self.run_fails(DAMAGED, "ls", image, says=["inode 2", "e2fsck"])

    def test_damage_inside(self):
        """What is damaged fails with 4; the rest can be read."""
        def broken_extent(i):
            i.put(i.inode(self.ino) + 40 + 20, 4, 0xffffff)     # the first extent's block
            i.seal_inode(self.ino)
        path = self.filled()
        self.ino = int(self.debugfs(path, "stat /dir/b").split("Inode: ")[1].split()[0])
        image = self.damaged(broken_extent)
        with self.unchanged(image):
            r = self.run_fails(DAMAGED, "cat", image, "/dir/b",
                               says=["/dir/b", "inode %d" % self.ino, "e2fsck"])
            self.assertEqual(r.out, b"")
            self.assertEqual(self.run_ok("cat", image, "/a").out, b"five\n")

    # ---- in use

    def test_locked(self):
        image = self.filled()
        with Locked(image):
            self.refused(IO, image, says="another program")

    def wait_for_its_lock(self, image):
        """Until somebody has locked it for writing; looking takes no lock and disturbs nobody."""
        question = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        deadline = time.monotonic() + 60
        with open(image, "rb") as f:
            while time.monotonic() < deadline:
                if struct.unpack("hhqqi", fcntl.fcntl(f, fcntl.F_GETLK, question))[0] != fcntl.F_UNLCK:
                    return
                time.sleep(0.01)
        self.fail("extant run has not locked its image")

    def test_in_use_by_extant(self):
        image = self.filled()
        user = subprocess.Popen([EXTANT, "run", image, "-"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, env=ENVIRONMENT)
        try:
            self.wait_for_its_lock(image)
            for name, words in everything():
                self.run_fails(IO, name, image, *words, says=["test.img", "close it there"])
        finally:
            user.communicate()
        self.check(image)


if __name__ == "__main__":
    main()
