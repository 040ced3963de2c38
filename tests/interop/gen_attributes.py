# SPDX-License-Identifier: BSD-2-Clause
"""Operations on attributes for genscript.py: owner, times, flags, extended attributes, lists of rights.

Left out, since the machine's own root may lack the right to them: journaled data (CAP_SYS_RESOURCE).
"""

WEIGHTS = dict(chown=2, utimens=2, chattr=2, setxattr=6, getxattr=3, listxattr=2, removexattr=3, setacl=2)
IDS = ('0', '1000', '65534', '70000', '4294967294', '-1')
TIMES = ('now', 'now', 'omit', '0', '1', '1000000000', '1700000000.5', '2147483647.999999999', '-1', '-2147483648',
         '5000000000', '15032385535')
FLAGS = ('+d', '-d', '+A', '-A', '+S', '-S', '+a', '-a', '+i', '-i', '+dA', '+D', '+T', '-DT', '+ai')
SPACES = ('user', 'user', 'user', 'user', 'user', 'trusted', 'security', 'system', 'foo')


def acl(rnd):
    """A list of rights as setxattr takes it, in hexadecimal; now and then one that cannot be."""
    items = [(1, rnd.randrange(8), None)]
    items += [(2, rnd.randrange(8), 1000 + i) for i in range(rnd.choice((0, 0, 1, 3)))]
    items.append((4, rnd.randrange(8), None))
    items += [(8, rnd.randrange(8), 50 + i) for i in range(rnd.choice((0, 0, 1, 2)))]
    if len(items) > 2 or rnd.random() < 0.2:
        items.append((16, rnd.randrange(8), None))
    items.append((32, rnd.randrange(8), None))
    if rnd.random() < 0.1:
        rnd.shuffle(items)
    if rnd.random() < 0.05:
        items.pop()
    version = 2 if rnd.random() < 0.97 else 1
    return (version.to_bytes(4, 'little') + b''.join(
        t.to_bytes(2, 'little') + p.to_bytes(2, 'little') + (0xffffffff if i is None else i).to_bytes(4, 'little')
        for t, p, i in items)).hex()


class AttributeOps:
    """Of Script: uses its rnd, emit, chance and any_path."""

    def op_chown(self):
        self.emit('chown', self.any_path(), self.rnd.choice(IDS), self.rnd.choice(IDS))

    def op_utimens(self):
        self.emit('utimens', self.any_path(), self.rnd.choice(TIMES), self.rnd.choice(TIMES))

    def op_chattr(self):
        """What was forbidden is mostly allowed again soon, or nothing more would happen."""
        path = self.any_path()
        if path in self.special or path in self.links:
            return
        flags = self.rnd.choice(FLAGS)
        self.emit('chattr', path, flags)
        if flags.startswith('+') and set(flags) & set('ai'):
            for _ in range(self.rnd.randint(0, 4)):
                self.one()
            if self.chance(0.9):
                self.emit('chattr', path, '-ai')

    def attribute(self):
        r = self.rnd
        if self.wrong():
            return r.choice(('user.', 'user', 'trusted.', '.', 'system.x', 'user.' + 'n' * 250, 'user.' + 'n' * 251,
                             'system.posix_acl_access', 'system.posix_acl_default', 'security.capability'))
        return f'{r.choice(SPACES)}.{r.choice(("a", "b", "c", "longer-name", "n" * 100))}{r.choice(("", "", "1", "2"))}'

    def op_setxattr(self):
        r = self.rnd
        size = r.choice((0, 1, 3, 4, 5, 20, 40, 40, 60, 100, 200, 400, 800, 1500, self.block - 100, self.block, 65536, 65537))
        value = f'value=v{r.randrange(3)}' if self.chance(0.4) else f'len={size} fill={r.choice("ab")}'
        self.emit('setxattr', self.any_path(), self.attribute(), value,
                  *([f'flags={r.choice(("create", "replace"))}'] if self.chance(0.2) else []))

    def op_getxattr(self):
        self.emit('getxattr', self.any_path(), self.attribute())

    def op_listxattr(self):
        self.emit('listxattr', self.any_path())

    def op_removexattr(self):
        self.emit('removexattr', self.any_path(), self.attribute())

    def op_setacl(self):
        path = self.directory() if self.chance(0.5) else self.any_path()
        name = 'system.posix_acl_' + self.rnd.choice(('access', 'access', 'default'))
        if self.chance(0.2):
            self.emit(self.rnd.choice(('removexattr', 'getxattr')), path, name)
        else:
            self.emit('setxattr', path, name, 'hex=' + acl(self.rnd))
