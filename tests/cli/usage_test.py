#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Help, version and wrong usage: status 2 and one line that says what is wrong; nothing is touched."""
import os
import re
import subprocess

from support import CliTest, ENVIRONMENT, EXTANT, IO, RAW, READERS, Run, USAGE, WRITERS, main, tool

COMMANDS = sorted(set(READERS) | set(WRITERS))


class Usage(CliTest):
    def test_help_of_all(self):
        r = self.run_ok("--help")
        for name in COMMANDS:
            self.assertIn("\n  %s " % name, r.text)
        self.assertIn("Exit status", r.text)
        self.assertEqual(self.run_ok("help").text, r.text)

    def test_help_of_each(self):
        for name in COMMANDS:
            r = self.run_ok(name, "--help")
            self.assertTrue(r.text.startswith("extant %s [OPTION...] IMAGE" % name), r.text)
            self.assertIn("--options", r.text)
            self.assertEqual(self.run_ok("help", name).text, r.text)
            for line in r.text.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_all_are_tested(self):
        """Each command of the help is in the tables of these tests."""
        listed = re.findall(r"(?m)^  (\w+) +\S", self.run_ok("--help").text)
        self.assertEqual(sorted(name for name in listed if name != "extant"), COMMANDS)

    def test_manual(self):
        page = self.run_ok("help", "--man").text
        for name in COMMANDS:
            self.assertIn("\n.SS extant %s " % name, page)
        self.assertIn("\n\\fB\\-\\-json\\fR\n", page)
        self.formatted(page)

    def formatted(self, page):
        """man finds nothing wrong with it."""
        if not tool("man"):
            return
        done = subprocess.run(["man", "--warnings", "-l", "-"], input=page.encode(), env=ENVIRONMENT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stderr.decode())

    def test_manual_of_each(self):
        self.run_ok("help", "--man-pages", self.dir)
        self.assertEqual(sorted(os.listdir(self.dir)),
                         sorted(["extant.1"] + ["extant-%s.1" % name for name in COMMANDS]))
        for name in COMMANDS:
            with open(self.path("extant-%s.1" % name)) as f:
                page = f.read()
            self.assertEqual(page, self.run_ok("help", "--man", name).text)
            for option in re.findall(r"--([a-z-]+)", self.run_ok(name, "--help").text.split("\n\n")[-1]):
                self.assertTrue(option == "help" or option.replace("-", "\\-") in page, option)
        for name in ("ls", "find", "batch"):
            with open(self.path("extant-%s.1" % name)) as f:
                self.formatted(f.read())

    # ---- completion

    def complete(self, *words):
        """What bash proposes at the end of these words."""
        script = self.run_ok("help", "--completion").text + """
            extant() { "$EXTANT" "$@"; }
            compopt() { :; }
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _extant
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        done = subprocess.run(["bash", "-c", script, "bash", "extant", *words], cwd=self.dir,
                              env=dict(ENVIRONMENT, EXTANT=EXTANT), stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().splitlines()

    def test_completion(self):
        if not tool("bash"):
            self.skipTest("bash is not there")
        image = self.filled()
        self.assertEqual(self.complete("tru"), ["truncate"])
        self.assertEqual(self.complete("ls", "--rec"), ["--recursive"])
        self.assertEqual(self.complete("ls", "test"), ["test.img"])
        self.assertEqual(self.complete("ls", "-l", image, "/d"), ["/dir/"])
        self.assertEqual(self.complete("cat", "-o", "ro", image, "/dir/"), ["/dir/b"])
        self.assertEqual(self.complete("put", image, "te"), ["test.img"])
        self.assertEqual(self.complete("chmod", image, "600", "/a"), ["/a"])
        self.assertEqual(self.complete("truncate", "--size", ""), [""])

    def test_version(self):
        self.assertRegex(self.run_ok("--version").text, r"^extant \d+\.\d+\.\d+\n$")

    def test_nothing_said(self):
        r = Run()
        self.assertEqual(r.status, USAGE)
        self.assertIn("extant COMMAND", r.err)

    def test_no_such_command(self):
        self.run_fails(USAGE, "frobnicate", says=["frobnicate", "--help"])
        self.run_fails(USAGE, "help", "frobnicate", says="frobnicate")

    def test_wrong_words(self):
        for name in COMMANDS:
            self.run_fails(USAGE, name, says=["extant %s:" % name, "IMAGE", "--help"])
            self.run_fails(USAGE, name, "--no-such-option", "x", says="--no-such-option")
            self.run_fails(USAGE, name, "-Z", "x", says="-Z")
            self.run_fails(USAGE, name, *(["-o"] if name in RAW else ["x", "-o"]), says="OPTIONS")
        self.run_fails(USAGE, "df", "i", "extra", says="extra")
        self.run_fails(USAGE, "ls", "--long=3", "i", says="--long")

    def test_wrong_values(self):
        image = self.filled()
        with self.unchanged(image):
            self.run_fails(USAGE, "mkdir", "-m", "9", image, "/x", says="9")
            self.run_fails(USAGE, "mkdir", "-m", "77777", image, "/x", says="77777")
            self.run_fails(USAGE, "put", "-m", "rw", image, "-", "/x", says="rw")
            self.run_fails(USAGE, "ls", "-o", "nonsense", image, says="nonsense")
            self.run_fails(USAGE, "ls", "-o", "commit=many", image, says="commit")
            self.run_fails(USAGE, "ls", "-o", "offset=x", image, says="offset")
            self.run_fails(USAGE, "ls", "-o", "offset=1G", image, says="offset")
            self.run_fails(USAGE, "ls", "-o", "x" * 2000, image, says="long")
            self.run_fails(USAGE, "ls", "-o", "partition=1", image, says="partition")
            self.run_fails(USAGE, "run", "--trace-format", "xml", image, "-", says="xml")
            self.run_fails(USAGE, "run", "--seed", "x", image, "-", says="seed")
            self.run_fails(USAGE, "run", "--clock", "wall", image, "-", says="wall")

    def test_options_anywhere(self):
        image = self.filled()
        expected = self.run_ok("ls", "-la", image, "/").out
        self.assertEqual(self.run_ok("ls", image, "/", "-a", "-l").out, expected)
        self.assertEqual(self.run_ok("ls", image, "--long", "--all", "--", "/").out, expected)
        self.assertEqual(self.run_ok("ls", "-la", "-o", "noatime", "-oro", image).out, expected)

    def test_a_name_that_looks_like_an_option(self):
        image = self.mkfs()
        self.run_ok("put", image, "--", "-", "-n", stdin=b"x")
        self.assertEqual(self.run_ok("cat", image, "--", "-n").out, b"x")

    def test_output_that_goes_nowhere(self):
        image = self.filled()
        with open("/dev/full", "w") as full:
            for words in (["ls", image], ["cat", image, "/dir/b"], ["info", image], ["--help"]):
                done = subprocess.run([EXTANT] + words, stdout=full, stderr=subprocess.PIPE,
                                      env=ENVIRONMENT)
                self.assertEqual(done.returncode, IO, words)
                self.assertIn(b"standard output", done.stderr)


if __name__ == "__main__":
    main()
