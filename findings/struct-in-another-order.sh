#!/usr/bin/env bash
# protobuf 6.33.6 for Python: a Struct's fields come in another order in each process, whatever Python's hash seed is.
#
# Pulumi's engine and its programs talk in google.protobuf.Struct: a resource's inputs, a stack's outputs. Whoever reads
# one with `fields.items()` or json_format.MessageToDict gets a dict in the order of the message's own table.
#
# Guess, before it was run: the order in which the keys were put in, as every dict of Python has it, or the same order
# each time, as the keys are the same and PYTHONHASHSEED is 0.
# Seen, 2026-11-29: of 12 processes with the same eight keys nearly each has an order of its own, for both ways of
# reading. The implementation in C salts its tables by itself. With the one in Python the order is that of the keys as
# they were put in. SerializeToString(deterministic=True) sorts what is written, and not what is read afterwards.
#
# So a text or JSON that is made of a Struct and compared later has to be sorted by whoever writes it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-deps --only-binary :all: protobuf==6.33.6

cat >"$folder/order.py" <<'PY'
import sys
from google.protobuf import json_format, struct_pb2

outputs = ["endpoint", "address", "model", "api_keys", "currency", "hourly_price", "models", "ssh_private_key"]
made = struct_pb2.Struct()
for each in outputs:
    made.fields[each].string_value = each
read = struct_pb2.Struct.FromString(made.SerializeToString(deterministic=True))
ways = {
    "fields": list(read.fields),
    "MessageToDict": list(json_format.MessageToDict(read)),
    "made here": list(made.fields),
}
found = ways[sys.argv[1]]
assert sorted(found) == sorted(outputs)
print(*found)
PY

export PYTHONHASHSEED=0
for way in "fields" "MessageToDict" "made here"; do
  for _ in $(seq 12); do "$folder/venv/bin/python" "$folder/order.py" "$way"; done | sort -u | wc -l >"$folder/orders"
  echo "in C, $way: $(cat "$folder/orders") orders in 12 processes"
  # Eight keys have 40,320 orders: two processes that agree are rare, and all twelve never do.
  [ "$(cat "$folder/orders")" -gt 1 ]
done
export PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python
for _ in $(seq 4); do "$folder/venv/bin/python" "$folder/order.py" "made here"; done | sort -u >"$folder/orders"
echo "in Python: $(cat "$folder/orders")"
[ "$(cat "$folder/orders")" = "endpoint address model api_keys currency hourly_price models ssh_private_key" ]
echo "protobuf 6.33.6: as described"
