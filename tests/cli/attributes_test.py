#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Extended attributes, access control lists and flags: what the commands say and set is what debugfs
reads, and it travels with copies."""
import base64
import os
import re

from support import CliTest, REFUSED, USAGE, main

ROOT = os.geteuid() == 0


class Attributes(CliTest):
    # ---- extended attributes

    def test_set_and_get(self):
        image = self.filled()
        long = "x" * 700
        self.run_ok("setfattr", "-n", "user.one", "-v", "text", image, "/a", "/dir")
        self.run_ok("setfattr", "-n", "user.hex", "-v", "0x00ff41", image, "/a")
        self.run_ok("setfattr", "-n", "user.b64", "-v", "0s" + base64.b64encode(b"\1\2").decode(), image, "/a")
        self.run_ok("setfattr", "-n", "user.quoted", "-v", '"a\\"b\\\\c\\012"', image, "/a")
        self.run_ok("setfattr", "-n", "trusted.long", "-v", long, image, "/a")
        self.run_ok("setfattr", "-n", "user.empty", image, "/a")
        self.assertEqual(self.run_ok("getfattr", image, "/a").text,
                         "# file: /a\nuser.b64\nuser.empty\nuser.hex\nuser.one\nuser.quoted\n\n")
        self.assertEqual(self.run_ok("getfattr", "-d", image, "/a").text,
                         '# file: /a\nuser.b64=0sAQI=\nuser.empty=""\nuser.hex=0sAP9B\nuser.one="text"\n'
                         'user.quoted=0sYSJiXGMK\n\n')
        self.assertEqual(self.run_ok("getfattr", "-n", "user.hex", "-e", "hex", image, "/a").text,
                         "# file: /a\nuser.hex=0x00ff41\n\n")
        self.assertEqual(self.run_ok("getfattr", "-d", "-e", "text", "-n", "user.quoted", image, "/a").text,
                         '# file: /a\nuser.quoted="a\\"b\\\\c\\012"\n\n')
        self.assertEqual(self.run_ok("getfattr", "--only-values", "-n", "user.hex", image, "/a").out, b"\0\xffA")
        everything = self.run_ok("getfattr", "--json", "-m", "-", image, "/a").json["files"][0]["attributes"]
        by_name = {a["name"]: base64.b64decode(a["base64"]) for a in everything}
        self.assertEqual(by_name["trusted.long"], long.encode())
        self.assertEqual(by_name["user.quoted"], b'a"b\\c\n')
        theirs = self.debugfs(image, "ea_list /a")
        for name in by_name:
            self.assertIn(name, theirs)
        self.assertEqual(self.run_ok("getfattr", "-R", image, "/").text.count("# file"), 2)
        self.run_ok("setfattr", "-x", "user.one", image, "/a")
        self.run_fails(REFUSED, "getfattr", "-n", "user.one", image, "/a", says="/a")
        self.run_fails(REFUSED, "setfattr", "-x", "user.one", image, "/a", says="/a")
        self.run_fails(REFUSED, "setfattr", "-n", "nonsense", image, "/a", says="user.")
        self.check(image)

    def test_dump_and_restore(self):
        image = self.filled()
        self.run_ok("setfattr", "-n", "user.one", "-v", "0x000102", image, "/a")
        self.run_ok("setfattr", "-n", "user.two", "-v", "a = b", image, "/dir/b")
        dump = self.run_ok("getfattr", "-dR", image, "/").out
        self.run_ok("setfattr", "-x", "user.one", image, "/a")
        self.run_ok("setfattr", "--restore", "-", image, stdin=dump)
        self.assertEqual(self.run_ok("getfattr", "-dR", image, "/").out, dump)
        self.check(image)

    def test_wrong(self):
        image = self.filled()
        with self.unchanged(image):
            self.run_fails(USAGE, "setfattr", image, "/a", says="-n")
            self.run_fails(USAGE, "setfattr", "-n", "user.x", "-v", "0xzz", image, "/a", says="0xzz")
            self.run_fails(USAGE, "setfattr", "-n", "user.x", "-x", "user.y", image, "/a", says="-x")
            self.run_fails(USAGE, "getfattr", "-e", "octal", image, "/a", says="octal")
            self.run_fails(USAGE, "getfattr", "-m", "(", image, "/a", says="(")
            self.run_fails(USAGE, "setfacl", "-m", "u:x:rwx", image, "/a", says="u:x:rwx")
            self.run_fails(USAGE, "setfacl", "-m", "u:1:rq", image, "/a", says="u:1:rq")
            self.run_fails(USAGE, "setfacl", image, "/a", says="-m")
            self.run_fails(USAGE, "chattr", image, "+q", "/a", says="+q")
            self.run_fails(USAGE, "chattr", image, "/a", "/b", says="flags")
            self.run_fails(USAGE, "chattr", image, "+i", "-i", "/a", says="set and cleared")

    # ---- access control lists

    def test_acl(self):
        image = self.filled()
        self.run_ok("chmod", image, "640", "/a")
        self.assertEqual(self.run_ok("getfacl", image, "/a").text,
                         "# file: /a\n# owner: 0\n# group: 0\nuser::rw-\ngroup::r--\nother::---\n\n")
        self.run_ok("setfacl", "-m", "u:1000:rwx,g:5:r", image, "/a")
        self.assertEqual(self.run_ok("getfacl", "-c", image, "/a").text,
                         "user::rw-\nuser:1000:rwx\ngroup::r--\ngroup:5:r--\nmask::rwx\nother::---\n\n")
        self.assertEqual(self.run_ok("stat", "-c", "%a", image, "/a").text, "670\n")
        self.run_ok("setfacl", "-m", "m::r", image, "/a")
        self.assertIn("user:1000:rwx\t\t\t#effective:r--\n", self.run_ok("getfacl", "-c", image, "/a").text)
        self.run_ok("setfacl", "-x", "u:1000", image, "/a")
        self.assertEqual(self.run_ok("getfacl", "-c", image, "/a").text,
                         "user::rw-\ngroup::r--\ngroup:5:r--\nmask::r--\nother::---\n\n")
        self.assertIn("system.posix_acl_access", self.debugfs(image, "ea_list /a"))
        self.run_ok("setfacl", "-b", image, "/a")
        self.assertEqual(self.run_ok("getfacl", "-c", image, "/a").text, "user::rw-\ngroup::r--\nother::---\n\n")
        self.assertNotIn("posix_acl", self.debugfs(image, "ea_list /a"))
        self.run_ok("setfacl", "--set", "u::rwx,g::-,o::-,u:7:7", image, "/a")
        self.assertEqual(self.run_ok("stat", "-c", "%a", image, "/a").text, "770\n")
        self.check(image)

    def test_default_acl(self):
        image = self.filled()
        self.run_ok("setfacl", "-m", "d:u:1000:rwX", image, "/dir")
        self.assertEqual(self.run_ok("getfacl", "-cd", image, "/dir").text,
                         "user::rwx\nuser:1000:rwx\ngroup::r-x\nmask::rwx\nother::r-x\n\n")
        self.run_ok("mkdir", image, "/dir/sub")
        entries = self.run_ok("getfacl", "--json", image, "/dir/sub").json["files"][0]
        self.assertIn({"tag": "user", "id": 1000, "perm": "rwx"}, entries["default"])
        self.run_fails(REFUSED, "setfacl", "-dm", "u:1:r", image, "/a", says="only directories")
        self.run_ok("setfacl", "-R", "-dm", "u:1:r", image, "/dir")
        self.run_ok("setfacl", "-k", image, "/dir")
        self.assertEqual(self.run_ok("getfacl", "-cd", image, "/dir").text, "\n")
        self.assertEqual(self.run_ok("getfacl", "-sR", image, "/").text.count("# file"), 1)
        self.check(image)

    # ---- copies

    def test_copies_keep_them(self):
        image, other = self.filled(), self.mkfs(name="other.img")
        self.run_ok("setfattr", "-n", "user.one", "-v", "1", image, "/dir", "/dir/b")
        self.run_ok("setfattr", "-n", "trusted.two", "-v", "z" * 300, image, "/dir/b")
        self.run_ok("setfacl", "-m", "u:1000:rwx", image, "/dir/b")
        dump = self.run_ok("getfattr", "-m", "-", "-dR", image, "/dir").out
        self.run_ok("cp", "-a", image, "/dir", other + ":/")
        self.assertEqual(self.run_ok("getfattr", "-m", "-", "-dR", other, "/dir").out, dump)
        self.run_ok("cp", image, "/dir/b", "/plain")
        self.assertEqual(self.run_ok("getfattr", "-m", "-", image, "/plain").text, "")
        self.check(other)
        if not ROOT:
            return
        self.run_ok("get", "-r", image, "/dir", self.path("out"))
        try:
            value = os.getxattr(self.path("out/b"), "trusted.two")
        except OSError:
            return              # the host keeps none here
        self.assertEqual(value, b"z" * 300)
        self.run_ok("put", "-r", other, self.path("out"), "/back")
        self.assertEqual(self.run_ok("getfattr", "-m", "-", "-d", other, "/back/b").text.split("\n", 1)[1],
                         self.run_ok("getfattr", "-m", "-", "-d", image, "/dir/b").text.split("\n", 1)[1])
        self.check(other)

    # ---- flags

    def test_flags(self):
        image = self.filled()
        self.assertEqual(self.run_ok("lsattr", image, "/dir").text, "--------------e------- /dir/b\n")
        self.assertEqual(self.run_ok("lsattr", "-d", image, "/dir").text, "--------------e------- /dir\n")
        self.run_ok("chattr", image, "+dA", "/a", "/dir")
        self.run_ok("chattr", image, "+i", "/a")
        self.assertEqual(self.run_ok("lsattr", image, "/a").text, "----i-dA------e------- /a\n")
        self.assertIn("Immutable, No_Dump", self.run_ok("lsattr", "-l", image, "/a").text)
        self.run_fails(REFUSED, "rm", image, "/a", says="/a")
        self.run_ok("chattr", image, "-i", "/a")
        self.run_ok("chattr", image, "=S", "/a")
        self.assertEqual(self.run_ok("lsattr", "--json", image, "/a").json["files"][0]["flags_text"], "Se")
        self.run_ok("chattr", image, "-R", "+d", "/dir")
        self.assertEqual(self.run_ok("lsattr", image, "/dir").text, "------d-------e------- /dir/b\n")
        flags = int(re.search(r"Flags: (\S+)", self.debugfs(image, "stat /dir/b")).group(1), 16)
        self.assertEqual(flags, 0x80040)
        self.check(image)


if __name__ == "__main__":
    main()
