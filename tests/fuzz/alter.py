"""Altered numbers, bytes and JSON, drawn from what readers get wrong."""

from __future__ import annotations

import gzip
import zlib
from random import Random

EDGES = [
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    256,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**62,
    2**63 - 1,
]
STRANGE_TEXT = ["", "\0", "x" * 300, "../x", "é", "\ud800", "nan", "-1", "1e400", "__metadata__", " "]


def integer(random: Random, old: int = 0) -> int:
    """Another whole number: near the old one, or at an edge of some type."""
    near = [old + 1, old - 1, old * 2, old // 2, -old, old + random.randint(-20, 20)]
    far = [random.choice(EDGES), -random.choice(EDGES), 2**64, 2**70, 10**30, random.getrandbits(40)]
    return random.choice(near if random.random() < 0.6 else far)


def fits(random: Random, old: int, low: int, high: int) -> int:
    """The same for a field that holds [low, high] alone."""
    value = integer(random, old)
    return min(max(value, low), high)


def text(random: Random, others: list[str]) -> str:
    """Another name: one of the others, a strange one, or an altered one."""
    if others and random.random() < 0.6:
        return random.choice(others)
    return random.choice(STRANGE_TEXT)


def binary(random: Random, content: bytes) -> bytes:
    """content with bytes flipped, cut, repeated or added."""
    content = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(content) + 1)
        end = min(len(content), at + random.choice([1, 2, 4, 8, 64]))
        kind = random.randrange(6)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            del content[at:end]
        elif kind == 2:
            content[at:at] = random.randbytes(end - at + 1)
        elif kind == 3:
            content[at:at] = content[at:end]
        elif kind == 4:
            content[at:end] = bytes([random.choice([0, 1, 0x7F, 0x80, 0xFF])]) * (end - at)
        elif at < len(content):
            content[at] ^= 1 << random.randrange(8)
    return bytes(content)


def compressed(random: Random, content: bytes) -> bytes:
    """A gzip file: mostly a right one of content, else with a damaged stream, check sum or trailer."""
    stream = gzip.compress(content, compresslevel=1, mtime=0)
    kind = random.randrange(10)
    if kind == 0:
        return binary(random, stream)
    if kind == 1:  # a wrong block inside, the check sum of the whole content behind
        body = binary(random, zlib.compress(content, 1, -15))
        return stream[:10] + body + stream[-8:]
    if kind == 2:
        return stream + random.choice([stream, b"\0" * 9, b"rest", stream[:7]])
    return stream


def value(random: Random, old):
    """A JSON value instead of old."""
    if isinstance(old, int) and not isinstance(old, bool) and random.random() < 0.7:
        return integer(random, old)
    if isinstance(old, list) and old and random.random() < 0.5:
        changed = list(old)
        kind = random.randrange(4)
        if kind == 0:
            changed.pop(random.randrange(len(changed)))
        elif kind == 1:
            changed.append(random.choice(changed))
        elif kind == 2:
            random.shuffle(changed)
        else:
            changed = changed * 2
        return changed
    deep: list = []
    for _ in range(random.choice([3, 100])):
        deep = [deep]
    strange = [
        None,
        True,
        False,
        0,
        1,
        -1,
        0.5,
        -0.0,
        1e308,
        float("inf"),
        float("nan"),
        10**400,
        2**70,
        [],
        {},
    ]
    return random.choice([*strange, [0], {"x": 1}, deep, random.choice(STRANGE_TEXT)])


def json_tree(random: Random, tree):
    """A JSON document with one to three of its nodes altered, at any depth. Shares parts with the old one."""
    for _ in range(random.choice([1, 1, 2, 3])):
        tree = _alter_node(random, tree)
    return tree


def _alter_node(random: Random, tree):
    if isinstance(tree, dict) and tree and random.random() < 0.9:
        tree = dict(tree)
        key = random.choice(list(tree))
        kind = random.randrange(12)
        if kind == 0:
            del tree[key]
        elif kind == 1:
            tree[random.choice([*STRANGE_TEXT, *tree])] = tree.pop(key)
        elif kind == 2:
            tree[random.choice(STRANGE_TEXT)] = value(random, tree[key])
        else:
            tree[key] = _alter_node(random, tree[key])
        return tree
    if isinstance(tree, list) and tree and random.random() < 0.7:
        index = random.randrange(len(tree))
        return [*tree[:index], _alter_node(random, tree[index]), *tree[index + 1 :]]
    return value(random, tree)
