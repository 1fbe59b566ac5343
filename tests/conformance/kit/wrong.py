"""Inputs made from an operation's shape: one that fits, and all the ways not to fit.

What the model rules out must be refused. What it allows, and no sensible client sends, must at least not fail.
"""

import base64
import copy

from kit.shapes import INTEGERS, fits

DEPTH = 5
# One text that fits each pattern of the models which plain words don't.
TEXTS = ["x", "word", "000000000000", "conformance/none", "arn:aws:ecs:us-east-1:000000000000:cluster/none",
         "sha256:" + "0" * 64, "00000000-0000-4000-8000-000000000000", "us-east-1", "/none", "0", "INTEGER",
         "arn:aws:iam::000000000000:role/none", "12345", "a.b", "https://none.invalid", "ecr/none:none",
         "arn:aws:signer:us-east-1:000000000000:/signing-profiles/none", "vpce-0",
         "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/none", "1.0.0", "s3://none", "123456", "i-00000000000000000", "000000000000.dkr.ecr.us-east-1.amazonaws.com",
         "arn:aws:kms:us-east-1:000000000000:key/none", "arn:aws:logs:us-east-1:000000000000:log-group:none",
         "aws.partner/none", "aws.partner/none/none", "arn:aws:events:us-east-1:000000000000:event-bus/none",
         "arn:aws:events:us-east-1:000000000000:connection/none/0-0", "events:PutEvents",
         "arn:aws:route53:::healthcheck/none",
         "arn:aws:secretsmanager:us-east-1:000000000000:secret:events!connection/none-0",
         "arn:aws:vpc-lattice:us-east-1:000000000000:resourceconfiguration/rcfg-00000000000000000"]


def sample(shape, full=False, depth=0):
    """The smallest value that fits; with every member where `full`."""
    if getattr(shape, "is_document_type", False):
        return {}
    return SAMPLES[shape.type_name](shape, full, depth)


def _structure(shape, full, depth):
    names = list(shape.members) if full and depth < DEPTH else list(shape.required_members)
    if getattr(shape, "is_tagged_union", False):
        names = list(shape.members)[:1]
    return {name: sample(shape.members[name], full, depth + 1) for name in names}


def _list(shape, full, depth):
    least = shape.metadata.get("min", 0)
    return [sample(shape.member, full, depth + 1) for _ in range(max(least, 1 if full and depth < DEPTH else 0))]


def _map(shape, full, depth):
    least = max(shape.metadata.get("min", 0), 1 if full else 0)
    return {text(shape.key, str(i)): sample(shape.value, full, depth + 1) for i in range(least)}


def text(shape, end=""):
    if getattr(shape, "enum", None):
        return shape.enum[0]
    limits = shape.metadata
    for candidate in TEXTS:
        candidate = candidate + end
        if len(candidate) < limits.get("min", 0):
            candidate += "x" * (limits["min"] - len(candidate))
        if len(candidate) <= limits.get("max", 1 << 20) and fits(limits.get("pattern", ".*"), candidate):
            return candidate
    return "x"


def _number(shape, *_):
    return max(shape.metadata.get("min", 1), min(1, shape.metadata.get("max", 1)))


SAMPLES = {
    "structure": _structure, "list": _list, "map": _map, "string": lambda shape, *_: text(shape),
    "boolean": lambda *_: False, "integer": _number, "long": _number, "float": _number, "double": _number,
    "timestamp": lambda *_: 1_700_000_000, "blob": lambda *_: base64.b64encode(b"x").decode(),
}


def wrongs(shape, base=None):
    """(what is wrong, input) for each way that the model rules out; all else is as in `base`, if it is given."""
    good = {**sample(shape), **(base or {})}
    for name in shape.required_members:
        without = {key: value for key, value in good.items() if key != name}
        yield f"no {name}", without
        yield f"null for {name}", {**good, name: None}
    for path, inner in members(shape, ()):
        for what, value in misfits(inner):
            yield f"{'.'.join(map(str, path))}: {what}", planted(shape, path, value, good)


def members(shape, path):
    """Every member below, with the way to it; `0` is a list's first item, `*` a map's value."""
    if len(path) >= DEPTH or getattr(shape, "is_document_type", False):
        return
    inner = {"structure": lambda: shape.members, "list": lambda: {0: shape.member},
             "map": lambda: {"*": shape.value}}.get(shape.type_name, dict)()
    for name, member in inner.items():
        yield (*path, name), member
        yield from members(member, (*path, name))


def planted(shape, path, value, base=None):
    """`base`, or the smallest value that fits, but for `value` at `path`."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if shape.type_name == "structure":
        whole = {} if getattr(shape, "is_tagged_union", False) else sample(shape) if base is None else base
        return {**whole, head: planted(shape.members[head], rest, value, whole.get(head))}
    if shape.type_name == "list":
        least = max(shape.metadata.get("min", 0), 1)
        others = (base or [])[1:] or [sample(shape.member) for _ in range(least - 1)]
        return [planted(shape.member, rest, value, base[0] if base else None), *others]
    return {text(shape.key): planted(shape.value, rest, value)}


def misfits(shape):
    """(what, value): values that a member of this shape can't have."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return
    if kind in ("structure", "map"):
        yield from [("a string", "x"), ("a number", 1), ("a list", [1]), ("a boolean", True)]
        for name in getattr(shape, "required_members", ()):
            yield f"no {name}", {key: value for key, value in sample(shape).items() if key != name}
    elif kind == "list":
        yield from [("a string", "x"), ("a number", 1), ("a structure", {"a": 1}), ("a boolean", False)]
        most = shape.metadata.get("max")
        if most is not None and most <= 1000:
            yield f"{most + 1} items", [copy.deepcopy(sample(shape.member)) for _ in range(most + 1)]
        if shape.metadata.get("min", 0) > 0:
            yield "no items", []
    else:
        yield from [("a structure", {"a": 1}), ("a list", ["x"])]
    if kind == "string":
        yield from [("a number", 12), ("a boolean", True)]
        if getattr(shape, "enum", None):
            yield from [("a word of no enum", "NO_SUCH_WORD"), ("an empty word", "")]
        if "max" in shape.metadata and shape.metadata["max"] < 1 << 20:
            yield "too long", text(shape) + "x" * shape.metadata["max"]
        if shape.metadata.get("min", 0) > 0:
            yield "too short", ""
        pattern = shape.metadata.get("pattern")
        for odd in ("\u0000", "\u2603 !", " "):
            if pattern and not fits(pattern, odd) and len(odd) >= shape.metadata.get("min", 0):
                yield f"{odd!r} against the pattern", odd
    elif kind in INTEGERS:
        yield from [("a word", "many"), ("a boolean", True), ("too large a number", 1 << INTEGERS[kind]),
                    ("a gigantic number", 10 ** 40)]
        yield from _outside(shape)
    elif kind in ("float", "double"):
        yield from [("a word", "many"), ("a boolean", True)]
        yield from _outside(shape)
    elif kind == "boolean":
        yield from [("a number", 1), ("a word", "maybe")]
    elif kind == "timestamp":
        yield from [("a word", "soon"), ("a boolean", True), ("a time beyond all times", 1e300)]
    elif kind == "blob":
        yield from [("a number", 5), ("no base64", "!!!!")]


def _outside(shape):
    if "max" in shape.metadata:
        yield "above the range", shape.metadata["max"] + 1
    if "min" in shape.metadata:
        yield "below the range", shape.metadata["min"] - 1


def oddities(shape):
    """(what, input): allowed by the model or not, these must be answered without a failure of the server."""
    good = sample(shape)
    yield "everything at once", sample(shape, full=True)
    yield "members nobody knows", {**good, "fromTheFuture": {"a": [1, None]}}
    for name, member in shape.members.items():
        if member.type_name == "string":
            for odd in ("", " ", "\u0000", "\ud800", "../../etc/passwd", "a" * 100_000, "%s%n{}", "'; DROP TABLE x; --",
                        "arn:aws:ecs", "arn:aws:ecs:us-east-1:000000000000:x/", ":::::::", "\u202e\u0301" * 50):
                yield f"{name}: {odd[:20]!r}", {**good, name: odd}
        elif member.type_name in INTEGERS:
            most = (1 << INTEGERS[member.type_name]) - 1
            for odd in (0, -1, most, -most - 1):
                yield f"{name}: {odd}", {**good, name: odd}
        elif member.type_name == "list":
            yield f"{name}: empty", {**good, name: []}
            yield f"{name}: a null", {**good, name: [None]}
            yield f"{name}: many", {**good, name: [sample(member.member)] * 2_000}
        elif member.type_name == "map":
            yield f"{name}: a null", {**good, name: {"x": None}}
