# SPDX-License-Identifier: BSD-2-Clause
"""An ext4 image as bytes that can be damaged: finds structures, changes fields, makes checksums right.

It follows docs/on-disk.md and trusts the image it is given: use it on images that mke2fs and debugfs
have made, before they are damaged.
"""
import struct

SUPER = 1024
EXTENTS_FL, INDEX_FL = 0x80000, 0x1000
METADATA_CSUM, GDT_CSUM, CSUM_SEED, BIT64, META_BG = 0x400, 0x10, 0x2000, 0x80, 0x10
XATTR_MAGIC = 0xEA020000


def _table(poly):
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (poly if i & 1 else 0)
        table.append(i)
    return table


_CRC32C, _CRC16 = _table(0x82F63B78), _table(0xA001)


def crc32c(crc, data):
    for b in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ b) & 0xFF]
    return crc


def crc16(crc, data):
    for b in data:
        crc = crc >> 8 ^ _CRC16[(crc ^ b) & 0xFF]
    return crc


def le32(x):
    return struct.pack('<I', x & 0xFFFFFFFF)


class Image:
    def __init__(self, data):
        self.b = bytearray(data)
        self.bs = 1024 << self.get(SUPER + 0x18, 4)
        self.first_data = self.get(SUPER + 0x14, 4)
        self.bpg = self.get(SUPER + 0x20, 4)
        self.ipg = self.get(SUPER + 0x28, 4)
        self.rev = self.get(SUPER + 0x4C, 4)
        self.isize = self.get(SUPER + 0x58, 2) if self.rev else 128
        self.compat = self.get(SUPER + 0x5C, 4)
        self.incompat = self.get(SUPER + 0x60, 4)
        self.ro_compat = self.get(SUPER + 0x64, 4)
        self.blocks = self.get(SUPER + 4, 4)
        self.inodes = self.get(SUPER + 0, 4)
        self.groups = -(-(self.blocks - self.first_data) // self.bpg)
        self.dsize = self.get(SUPER + 0xFE, 2) if self.incompat & BIT64 else 32
        self.uuid = bytes(self.b[SUPER + 0x68:SUPER + 0x78])
        self.csum = bool(self.ro_compat & METADATA_CSUM)
        self.seed = self.get(SUPER + 0x270, 4) if self.incompat & CSUM_SEED else crc32c(~0 & 0xFFFFFFFF, self.uuid)

    # ---- fields

    def get(self, at, size):
        return int.from_bytes(self.b[at:at + size], 'little')

    def put(self, at, size, value):
        self.b[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, 'little')

    def be(self, at):
        return struct.unpack_from('>I', self.b, at)[0]

    def put_be(self, at, value):
        struct.pack_into('>I', self.b, at, value & 0xFFFFFFFF)

    def block(self, n):
        return n * self.bs

    # ---- where things are

    def desc(self, group):
        if self.incompat & META_BG:
            raise NotImplementedError('meta_bg')
        return self.block(SUPER // self.bs + 1) + group * self.dsize

    def desc_block(self, group, low, high):
        d = self.desc(group)
        return self.get(d + low, 4) | (self.get(d + high, 4) << 32 if self.dsize >= 64 else 0)

    def block_bitmap(self, group):
        return self.desc_block(group, 0x0, 0x20)

    def inode_bitmap(self, group):
        return self.desc_block(group, 0x4, 0x24)

    def inode(self, ino):
        group, index = divmod(ino - 1, self.ipg)
        return self.block(self.desc_block(group, 0x8, 0x28)) + index * self.isize

    def live(self):
        """Numbers of all inodes with links."""
        for group in range(self.groups):
            flags = self.get(self.desc(group) + 0x12, 2) if self.ro_compat & (METADATA_CSUM | GDT_CSUM) else 0
            if flags & 1:
                continue
            bits = self.block(self.inode_bitmap(group))
            for i in range(self.ipg):
                ino = group * self.ipg + i + 1
                if self.b[bits + i // 8] >> i % 8 & 1 and self.get(self.inode(ino) + 0x1A, 2):
                    yield ino

    def type(self, ino):
        return self.get(self.inode(ino), 2) >> 12

    def flags(self, ino):
        return self.get(self.inode(ino) + 0x20, 4)

    def nodes(self, ino):
        """(offset, block or None) of each extent node, the root first."""
        todo = [(self.inode(ino) + 0x28, None)]
        while todo:
            at, blk = todo.pop(0)
            yield at, blk
            if self.get(at + 6, 2):
                for i in range(self.get(at + 2, 2)):
                    e = at + 12 + 12 * i
                    child = self.get(e + 4, 4) | self.get(e + 8, 2) << 32
                    todo.append((self.block(child), child))

    def indirect(self, ino):
        """Blocks of pointers of a block map."""
        for level in (1, 2, 3):
            yield from self._indirect(self.get(self.inode(ino) + 0x28 + 4 * (11 + level), 4), level)

    def _indirect(self, blk, level):
        if not blk:
            return
        yield blk
        if level > 1:
            for i in range(self.bs // 4):
                yield from self._indirect(self.get(self.block(blk) + 4 * i, 4), level - 1)

    def data(self, ino):
        """Physical blocks in logical order."""
        out = []
        if self.flags(ino) & EXTENTS_FL:
            for at, _ in self.nodes(ino):
                if self.get(at + 6, 2) == 0:
                    for i in range(self.get(at + 2, 2)):
                        e = at + 12 + 12 * i
                        start, n = self.get(e + 8, 4) | self.get(e + 6, 2) << 32, self.get(e + 4, 2)
                        out += range(start, start + (n if n <= 32768 else n - 32768))
            return out
        for i in range(12):
            out.append(self.get(self.inode(ino) + 0x28 + 4 * i, 4))
        for level in (1, 2, 3):
            self._leaves(self.get(self.inode(ino) + 0x28 + 4 * (11 + level), 4), level, out)
        return [x for x in out if x]

    def _leaves(self, blk, level, out):
        if not blk:
            return
        for i in range(self.bs // 4):
            p = self.get(self.block(blk) + 4 * i, 4)
            if level == 1:
                out.append(p)
            else:
                self._leaves(p, level - 1, out)

    def entries(self, blk):
        """Offsets of the records of a directory block."""
        at, end = self.block(blk), self.block(blk) + self.bs
        while at < end:
            yield at
            rec = self.get(at + 4, 2)
            at += self.bs if rec in (0, 65535) else (rec & 0xFFFC) | (rec & 3) << 16

    def lookup(self, directory, name):
        """Offset of the entry, and its block."""
        for blk in self.data(directory):
            for at in self.entries(blk):
                n = self.b[at + 6]
                if self.get(at, 4) and bytes(self.b[at + 8:at + 8 + n]) == name.encode():
                    return at, blk
        raise KeyError(name)

    def is_dx(self, ino, blk):
        """The offset of the entries of a hash tree's node, or 0."""
        at = self.block(blk)
        if not self.flags(ino) & INDEX_FL:
            return 0
        if blk == self.data(ino)[0]:
            return 32
        rec = self.get(at + 4, 2)
        return 8 if self.get(at, 4) == 0 and self.b[at + 6] == 0 and rec in (0, 65535, self.bs) else 0

    def acl(self, ino):
        return self.get(self.inode(ino) + 0x68, 4)

    # ---- checksums

    def inode_seed(self, ino):
        return crc32c(crc32c(self.seed, le32(ino)), self.b[self.inode(ino) + 0x64:self.inode(ino) + 0x68])

    def seal_super(self):
        if self.csum:
            self.put(SUPER + 0x3FC, 4, crc32c(0xFFFFFFFF, self.b[SUPER:SUPER + 0x3FC]))

    def seal_desc(self, group):
        d = self.desc(group)
        raw = self.b[d:d + self.dsize]
        if self.csum:
            crc = crc32c(crc32c(self.seed, le32(group)), raw[:0x1E] + b'\0\0' + raw[0x20:])
        elif self.ro_compat & GDT_CSUM:
            crc = crc16(crc16(crc16(0xFFFF, self.uuid), le32(group)), raw[:0x1E] + raw[0x20:])
        else:
            return
        self.put(d + 0x1E, 2, crc)

    def seal_bitmaps(self, group):
        if self.csum:
            for blk, count, low, high in ((self.block_bitmap(group), self.bpg, 0x18, 0x38),
                                          (self.inode_bitmap(group), self.ipg, 0x1A, 0x3A)):
                at, d = self.block(blk), self.desc(group)
                crc = crc32c(self.seed, self.b[at:at + count // 8])
                self.put(d + low, 2, crc)
                if self.dsize >= 64:
                    self.put(d + high, 2, crc >> 16)
        self.seal_desc(group)

    def seal_inode(self, ino):
        if not self.csum:
            return
        at = self.inode(ino)
        high = self.isize > 128 and self.get(at + 0x80, 2) >= 4
        self.put(at + 0x7C, 2, 0)
        if high:
            self.put(at + 0x82, 2, 0)
        crc = crc32c(self.inode_seed(ino), self.b[at:at + self.isize])
        self.put(at + 0x7C, 2, crc)
        if high:
            self.put(at + 0x82, 2, crc >> 16)

    def seal_node(self, ino, blk):
        at = self.block(blk)
        tail = 12 + 12 * self.get(at + 4, 2)
        if self.csum and tail + 4 <= self.bs:
            self.put(at + tail, 4, crc32c(self.inode_seed(ino), self.b[at:at + tail]))

    def seal_dir(self, ino, blk):
        at = self.block(blk)
        if not self.csum:
            return
        dx = self.is_dx(ino, blk)
        if not dx:
            self.put(at + self.bs - 4, 4, crc32c(self.inode_seed(ino), self.b[at:at + self.bs - 12]))
            return
        limit, count = self.get(at + dx, 2), self.get(at + dx + 2, 2)
        tail = dx + 8 * limit
        if count <= limit and tail + 8 <= self.bs:
            crc = crc32c(self.inode_seed(ino), self.b[at:at + dx + 8 * count])
            self.put(at + tail + 4, 4, crc32c(crc, self.b[at + tail:at + tail + 4] + b'\0\0\0\0'))

    def seal_xattr(self, blk):
        if self.csum:
            at = self.block(blk)
            self.put(at + 0x10, 4, 0)
            self.put(at + 0x10, 4, crc32c(crc32c(self.seed, struct.pack('<Q', blk)), self.b[at:at + self.bs]))

    def seal_orphans(self, ino, blk):
        if self.csum:
            at = self.block(blk)
            crc = crc32c(crc32c(self.inode_seed(ino), struct.pack('<Q', blk)), self.b[at:at + self.bs - 8])
            self.put(at + self.bs - 4, 4, crc)

    def seal_journal(self, at):
        if self.be(at + 0x28) & 0x18:
            self.put_be(at + 0xFC, 0)
            self.put_be(at + 0xFC, crc32c(0xFFFFFFFF, self.b[at:at + 1024]))
