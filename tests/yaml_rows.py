"""How the engine reads scalars in a stack's file: YAML as it is written, and the text that a program gets for it.

What stands here was seen with engine 3.259.0; `tests/engine/test_yaml.py` asks the engine again.
"""

from __future__ import annotations

READ = [
    ("yes", "yes"),
    ("No", "No"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("true", "true"),
    ("True", "true"),
    ("FALSE", "false"),
    ("~", ""),
    ("NULL", ""),
    ('""', ""),
    ("22:30", "22:30"),
    ("1:30:00", "1:30:00"),
    ("007", "7"),
    ("-07", "-7"),
    ("089", "89"),
    ("0o17", "15"),
    ("0x1F", "31"),
    ("-0x1F", "-31"),
    ("0b11", "3"),
    ("0b2", "0b2"),
    ("0x", "0x"),
    ("+1", "1"),
    ("+", "+"),
    ("1_000", "1000"),
    ("_1", "_1"),
    ("-0.0", "0"),
    ("1.0", "1"),
    ("2.50", "2.5"),
    ("0.", "0"),
    ("+.5", "0.5"),
    (".5_0", "0.5"),
    (".e5", ".e5"),
    ("1e3", "1000"),
    ("1.5e3", "1500"),
    ("1e400", "1e400"),
    ("1e21", "1e+21"),
    ("1e-7", "1e-7"),
    ("1.5.2", "1.5.2"),
    ("9223372036854775808", "9223372036854775808"),
    ("12345678901234567890", "12345678901234567890"),
    ("2026-01-01", "2026-01-01 00:00:00 +0000 UTC"),
    ("2026-1-1T1:2:3.123456789Z", "2026-01-01 01:02:03.123456789 +0000 UTC"),
    ("2026-02-30", "2026-02-30"),
    ('"2026-01-01"', "2026-01-01"),
    ('"007"', "007"),
    ('"5"', "5"),
    ("!!str 007", "007"),
    ('!!int "5"', "5"),
    ("!!float 1", "1"),
    ("!!binary aGVsbG8=", "hello"),
    ("!ours 5", "5"),
    ('"a\\tb"', "a\tb"),
    (
        "{nightly: yes, window: 22:30, team: 007, since: 2026-01-01}",
        '{"nightly":"yes","since":"2026-01-01 00:00:00 +0000 UTC","team":7,"window":"22:30"}',
    ),
    ("{a: ~, b: '', c: 1.0, d: True, e: 1e20}", '{"a":null,"b":"","c":1,"d":true,"e":100000000000000000000}'),
    ("{a: 1e21, b: 1e-7, c: 1e-6, d: 123456789.125}", '{"a":1e+21,"b":1e-7,"c":0.000001,"d":123456789.125}'),
    ("{a: 9223372036854775808}", '{"a":9223372036854776000}'),
    ("{a: 2026-01-01T01:02:03.5+08:00}", '{"a":"2026-01-01 01:02:03.5 +0800 +0800"}'),
    (
        "{~: a, true: b, 1e3: c, 1.5: d, 0x10: e, 2026-01-01: f}",
        '{"1.5":"d","1000":"c","16":"e","2026-01-01 00:00:00 +0000 UTC":"f","\\u003cnil\\u003e":"a","true":"b"}',
    ),
    ("{1: a, 0x1: b}", '{"1":"b"}'),
    ("{a: {<<: [{x: 1, y: 2}, {x: 3, z: 4}], y: 9}}", '{"a":{"x":1,"y":9,"z":4}}'),
    ("{a: &here {b: 1}, c: *here}", '{"a":{"b":1},"c":{"b":1}}'),
    ("{a: '<b>&'}", '{"a":"\\u003cb\\u003e\\u0026"}'),
    ("[yes, 007, 1.0, {}, []]", '["yes",7,1,{},[]]'),
    ("!!set {x, y}", '{"x":null,"y":null}'),
    ("{secure: 5}", '{"secure":5}'),
]
"""What the engine takes."""

REFUSED = [
    ".nan",
    "{a: .inf}",
    "{a: 1, a: 2}",
    '{1: a, "1": b}',
    "&x {b: *x}",
    "{[1]: 2}",
    "{<<: 5}",
    "!!int x",
    "!!bool yes",
    "!!null x",
    '!!binary "*"',
]
"""What the engine refuses."""


def repeated(times: int, deep: int) -> str:
    """A value in which aliases stand for much more than is written: harmless while ``times ** deep`` is small."""
    rows = [f"l0: &l0 [{', '.join(['x'] * times)}]"]
    rows += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * times)}]" for level in range(1, deep)]
    return "{" + ", ".join(rows) + "}"
