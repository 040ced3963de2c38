#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""extant replay: what it tells is what it does; a dry run changes nothing; afterwards e2fsck finds
nothing, and what was synced is there."""
from support import CliTest, DAMAGED, Run, main, mke2fs_knows

CRASH = b"""open fd=1 /kept O_CREAT|O_RDWR 0644
write fd=1 len=6000 fill=k
fsync fd=1
open fd=2 /lost O_CREAT|O_RDWR 0644
write fd=2 len=6000 fill=l
shutdown nologflush
"""
REVOKE = b"""mkdir /d
open fd=1 /d/f O_CREAT|O_RDWR 0644
fsync fd=1
close fd=1
unlink /d/f
rmdir /d
open fd=1 /g O_CREAT|O_RDWR 0644
fsync fd=1
shutdown nologflush
"""
ORPHAN = b"""open fd=1 /open O_CREAT|O_RDWR 0644
write fd=1 len=60000 fill=o
fsync fd=1
unlink /open
syncfs fd=1
shutdown nologflush
"""


class Replay(CliTest):
    def crashed(self, script, *mkfs):
        image = self.filled(*mkfs)
        self.run_ok("run", image, "-", stdin=script)
        return image

    def replay(self, image, *options):
        return self.run_ok("replay", "--json", *options, image).json

    def test_clean(self):
        image = self.filled()
        with self.unchanged(image):
            self.assertIn("nothing to replay", self.run_ok("replay", image).text)
            plan = self.replay(image)
        self.assertEqual((plan["needed"], plan["replayed"], plan["log"]), (False, False, []))

    def test_no_journal(self):
        image = self.filled("-O", "^has_journal")
        with self.unchanged(image):
            self.assertIn("nothing to replay", self.run_ok("replay", image).text)

    def test_crash(self):
        image = self.crashed(CRASH)
        with self.unchanged(image):
            self.assertIn("would be written", self.run_ok("replay", "-n", image).text)
            self.assertIn("inode table", self.run_ok("replay", "-nv", image).text)
            plan = self.replay(image, "--dry-run")
            # read-only commands see what the journal holds, and write nothing
            self.assertEqual(self.run_ok("cat", image, "/kept").out, 6000 * b"k")
            self.assertEqual(self.run_ok("info", "--json", image).json["journal"]["transactions_to_replay"],
                             plan["transactions"])
            self.assertFalse(self.run_ok("info", "--json", image).json["journal"]["empty"])
        self.assertTrue(plan["needed"])
        self.assertFalse(plan["replayed"])
        self.assertGreaterEqual(plan["transactions"], 1)
        self.assertEqual(len(plan["log"]), plan["transactions"])
        self.assertEqual([t["tid"] for t in plan["log"]], list(range(plan["first_tid"], plan["end_tid"])))
        blocks = [b["block"] for t in plan["log"] for b in t["blocks"] if "revoked" not in b]
        self.assertEqual(len(blocks), plan["blocks"] + plan["blocks_revoked"])

        done = self.replay(image)
        self.assertTrue(done["replayed"])
        for key in ("transactions", "blocks", "first_tid", "end_tid", "log"):
            self.assertEqual(done[key], plan[key], key)
        self.check(image)
        self.assertEqual(self.run_ok("cat", image, "/kept").out, 6000 * b"k")
        self.assertNotIn("lost\n", self.run_ok("ls", image).text)
        with self.unchanged(image):
            self.assertFalse(self.replay(image)["needed"])

    def test_text(self):
        image = self.crashed(CRASH)
        text = self.run_ok("replay", "-v", image).text
        self.assertRegex(text, r"(?m)transactions? \d+( to \d+)?: \d+ blocks are written in place$")
        self.assertRegex(text, r"(?m)^  transaction \d+\n    block \d+ ")
        self.assertRegex(text, r"(?m)done: everything is in place, and the journal is empty$")

    def test_revoked(self):
        image = self.crashed(REVOKE)
        plan = self.replay(image)
        self.assertGreaterEqual(plan["revoke_records"], 1)
        self.assertTrue(any("revoked" in b for t in plan["log"] for b in t["blocks"]))
        self.check(image)

    def test_orphans(self):
        kinds = [[]] + ([["-O", "orphan_file"]] if mke2fs_knows("orphan_file") else [])
        for mkfs in kinds:
            with self.subTest(mkfs):
                image = self.crashed(ORPHAN, *mkfs)
                self.assertEqual(self.replay(image)["orphans_deleted"], 1)
                self.check(image)

    def test_torn_commit(self):
        """A commit block that never got to the disk whole: its transaction did not happen."""
        image = self.crashed(CRASH)
        plan = self.replay(image, "-n")
        info = self.run_ok("info", "--json", image).json
        size, start = info["superblock"]["block_size"], info["journal"]["log_begins_at_block"]
        log = self.run_ok("stat", "-x", "--json", image, "/a").json     # the image can be read at all
        self.assertEqual(log["files"][0]["size"], 5)
        where = int(self.debugfs(image, "bmap <8> %d" % start).split()[-1])
        blocks = plan["log"][0]["blocks"]
        with open(image, "r+b") as f:                   # descriptor, its blocks, commit block
            f.seek((where + 1 + len(blocks)) * size)
            self.assertEqual(f.read(8), bytes.fromhex("c03b399800000002"))
            f.seek((where + 1 + len(blocks)) * size)
            f.write(bytes(512))
        again = self.replay(image)
        self.assertEqual((again["transactions"], again["replayed"]), (0, True))
        self.assertNotIn("kept\n", self.run_ok("ls", image).text)
        self.check(image)

    def test_damaged_log(self):
        """A logged block that is not what a commit block vouches for: said, and nothing of it applied."""
        image = self.crashed(CRASH)
        info = self.run_ok("info", "--json", image).json
        size, start = info["superblock"]["block_size"], info["journal"]["log_begins_at_block"]
        where = int(self.debugfs(image, "bmap <8> %d" % start).split()[-1])
        with open(image, "r+b") as f:
            f.seek((where + 2) * size + 100)
            f.write(b"damage")
        with self.unchanged(image):
            r = Run("replay", "-n", "--json", image)
            self.assertIn(r.status, (0, DAMAGED), str(r))
            if r.status == 0:
                self.assertTrue(r.json["stopped_at_checksum"])


if __name__ == "__main__":
    main()
