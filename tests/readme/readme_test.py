#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What README.md tells a reader to type works as it stands there.

    readme_test.py BUILD

Runs the commands of "The first minute" (without the clone and the build) in an empty directory that has
build/ and README.md; installs the build below a directory of its own, compiles the program of "In a
program" against that with the command that stands there, and runs it. Links must lead somewhere.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
SKIPPED = 77


def sections():
    """Text by heading."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        parts = re.split(r"^## (.*)$", f.read(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def blocks(text, language):
    return re.findall(r"^```%s\n(.*?)^```$" % language, text, re.MULTILINE | re.DOTALL)


class Readme(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="extant-readme-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.symlink(BUILD, os.path.join(self.dir, "build"))
        shutil.copy(os.path.join(TOP, "README.md"), self.dir)
        self.environment = dict(os.environ, LC_ALL="C")

    def shell(self, script, status=0):
        done = subprocess.run(["sh", "-eu"], input=script.encode(), cwd=self.dir, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, status, "%s\n%s%s" % (script, out, err))
        return out

    def first_minute(self):
        return [b for b in blocks(sections()["The first minute"], "sh") if not b.startswith("git clone")]

    def test_first_minute(self):
        put, crash, recover, watch = self.first_minute()
        out = self.shell(put)
        self.assertRegex(out, r"(?m)^-rw-r--r-- 1 0 0 .* readme$")
        with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
            self.assertTrue(out.endswith("".join(f.readlines()[:3])))
        self.shell(crash)
        out = self.shell(recover)
        self.assertIn("would be written in place", out)
        self.assertIn("the journal is empty", out)
        self.assertIn("\nhello\nlost+found\nreadme\n", out)
        out = self.shell(watch)
        for text in ("vfs_create", "{ ext4_da_write_begin: ", "jbd2_handle_start"):
            self.assertIn(text, out)

    def install(self):
        """Where pkg-config finds it."""
        root = os.path.join(self.dir, "root")
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                       check=True, stdout=subprocess.DEVNULL)
        for where, _, files in os.walk(root):
            if "extant.pc" in files:
                self.environment.update(PKG_CONFIG_PATH=where, PKG_CONFIG_SYSROOT_DIR=root,
                                        LD_LIBRARY_PATH=os.path.dirname(where))
                return root
        self.fail("extant.pc was not installed")

    def test_program(self):
        text = sections()["In a program"]
        (program,), (commands,) = blocks(text, "c"), blocks(text, "sh")
        self.assertLessEqual(len(program.splitlines()), 30)
        self.install()
        with open(os.path.join(self.dir, "greet.c"), "w") as f:
            f.write(program)
        self.shell(next(line for line in self.first_minute()[0].splitlines() if "mke2fs" in line))
        self.shell(commands)
        self.assertEqual(self.shell("build/extant cat disk.img /greeting"), "good morning\n")
        self.shell("/sbin/e2fsck -fn disk.img")
        self.shell("echo no image > none.img; ./greet none.img", status=1)

    def test_other_ways_to_link(self):
        text = sections()["In a program"]
        root = self.install()
        for name in ("greet.c", "greet.cc"):
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(blocks(text, "c")[0])
        self.shell("cc -Wall -Wextra -Wno-unused-parameter -Werror -std=c99 -pedantic greet.c "
                   "$(pkg-config --cflags --libs extant) -o greet")
        if shutil.which("c++"):
            self.shell("c++ greet.cc $(pkg-config --cflags --libs extant) -o greet")
        self.shell("cc greet.c $(pkg-config --cflags extant) -Wl,-Bstatic "
                   "$(pkg-config --static --libs extant) -Wl,-Bdynamic -o greet")
        self.environment.pop("LD_LIBRARY_PATH")
        self.shell("/sbin/mke2fs -q -t ext4 disk.img 16M; ./greet disk.img")
        self.assertTrue(os.path.exists(os.path.join(root, "usr/local/bin/extant"))
                        or self.installed_elsewhere(root, "extant"))

    def installed_elsewhere(self, root, name):
        return any(name in files for where, _, files in os.walk(root) if where.endswith("/bin"))

    def test_links(self):
        with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
            for target in re.findall(r"\]\(([^)#]+)\)", f.read()):
                self.assertTrue(os.path.exists(os.path.join(TOP, target)), target)


def main():
    for tool in ("/sbin/mke2fs", "/sbin/e2fsck"):
        if not os.path.exists(tool):
            print(tool + " is not there (e2fsprogs)")
            sys.exit(SKIPPED)
    for tool in ("cc", "pkg-config", "meson"):
        if not shutil.which(tool):
            print(tool + " is not there")
            sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])


if __name__ == "__main__":
    main()
