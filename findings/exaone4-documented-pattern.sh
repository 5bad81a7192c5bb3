#!/usr/bin/env bash
# transformers 5.19.0: the layer pattern that Exaone4Config documents raises a TypeError.
#
# EXAONE 4.0's config.json says `"sliding_window_pattern": "LLLG"`: three layers with a window, then one that sees all.
# The docstring of `Exaone4Config` names that very text as valid, and the field's type is `str | int | None`.
#
# Guess, before it was run: with "LLLG" the layers are "sssf" repeated, as with the number 4.
# Seen, 2026-11-28: with 4 they are; with "LLLG" the class computes `(i + 1) % "LLLG"` and raises a TypeError. It is
# spared only where the config also lists `layer_types`, and then the pattern has no say: listed layers that contradict
# it are taken as they are. Reported as huggingface/transformers#39696 in July 2025 and closed.
#
# So a tool that sizes the cache must read `layer_types` first, and a config with the text alone does not load.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.19.0

HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import transformers
from transformers import Exaone4Config

FOUR = ["sliding_attention"] * 3 + ["full_attention"]


def layers(**settings):
    return Exaone4Config(num_hidden_layers=8, sliding_window=4096, **settings).layer_types


assert transformers.__version__ == "5.19.0"
assert '"LLLG"' in Exaone4Config.__doc__, "the text is no longer documented"
print("documented: sliding_window_pattern=\"LLLG\"")

assert layers(sliding_window_pattern=4) == FOUR * 2
print("4      ->", layers(sliding_window_pattern=4))

try:
    found = layers(sliding_window_pattern="LLLG")
except TypeError as wrong:
    print('"LLLG" -> TypeError:', wrong)
else:
    raise SystemExit(f"changed: the text is read now, as {found}")

listed = layers(sliding_window_pattern="LLLG", layer_types=["full_attention"] * 8)
assert listed == ["full_attention"] * 8, f"changed: listed layers that contradict the pattern became {listed}"
print('"LLLG" and eight full layers listed ->', listed)
PYTHON
echo "as on 2026-11-28"
