"""Write docs/models.md and its Chinese twin: which model on which card, with what context, for how much an hour.

    tools/models-page           write both pages
    tools/models-page --check   exit 1 where that would change one

All figures are those of `pulumi-llm check` and `pulumi-llm offers`, asked here in one process; models and cards are
those of chosen.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm.catalog.abilities import abilities_of
from pulumi_llm.catalog.models import Model
from pulumi_llm.catalog.rows import Offer
from pulumi_llm.preflight.engine import engine

sys.path.insert(0, str(Path(__file__).parent))

from ways import No, Way, best, chosen, counts, forms, hourly, machines, sold

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs/models.md", "zh": ROOT / "docs/models.zh.md"}

NAMES = {
    "fp8": "FP8",
    "awq": "AWQ",
    "gptq": "GPTQ",
    "nvfp4": "NVFP4",
    "mxfp4": "MXFP4",
    "compressed-tensors": "INT4",
    "modelopt_mixed": "NVFP4+FP8",
}


def name(model: str) -> str:
    """A model's id without its publisher."""
    return model.rpartition("/")[2]


def form(model: Model) -> str:
    """How its weights are stored."""
    if model.quantization is None:
        return "BF16"
    bits = f"-Int{model.quantization_bits}" if model.quantization == "gptq" else ""
    return NAMES.get(model.quantization, model.quantization) + bits


def tokens(number: int) -> str:
    """A context in thousands of tokens, rounded down."""
    return f"{number // 1000:,}K"


@cache
def cell(model: str, card: str) -> Way | No:
    """What the first table says of a model on a card."""
    return best(model, card)


def amount(offer: Offer) -> str:
    """An offer's known price in CNY per hour, marked where it is an estimate."""
    return f"{'~' if offer.price and offer.price.derived else ''}{hourly(offer):.2f}"


def price(way: Way, said: dict[str, str]) -> str:
    """CNY per hour, or why there is none."""
    if way.offer is not None and way.cny is not None:
        return amount(way.offer)
    return said["unknown"] if way.sold else said["not-sold"]


def shown(model: str, card: str, said: dict[str, str]) -> str:
    """One cell of the first table."""
    found = cell(model, card)
    if isinstance(found, Way):
        mark = "" if found.cache == "auto" else "†"
        return f"{found.count} × {form(found.model)}{mark}, {tokens(found.context)}<br>{price(found, said)}"
    code = next((each for each in found.codes if each != "fit.weights-exceed-vram"), found.codes[0])
    what = said["too-big"] if code == "fit.weights-exceed-vram" else said["too-old"]
    if not found.known:
        what = said["not-known"]
    return f"[{what}]({said['troubleshooting']}#{code.replace('.', '-')})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def first(said: dict[str, str]) -> str:
    """Which model on which card."""
    what = chosen()
    return table(
        [said["model"], *what.cards],
        [[name(model), *(shown(model, card, said) for card in what.cards)] for model in what.models],
    )


def second(said: dict[str, str]) -> str:
    """The cheapest machine for each number of a card."""
    rows = []
    for card in chosen().cards:
        for count in counts(card):
            if not (listed := sold(card, count)):
                rows += [[f"{count} × {card}", said["not-sold"], "", "", "", ""]] if count == 1 else []
                continue
            offer = next(iter(machines(card, count)), None)
            machine = offer.instance if offer else listed[0]
            place = offer.region if offer else said["unknown"]
            asked = "" if machine.access == "self-service" else said["on-request"]
            cost = offer.price if offer else None
            rows.append(
                [
                    f"{count} × {card}",
                    said["unknown"] if cost is None or offer is None else amount(offer),
                    machine.cloud,
                    f"`{machine.instance_type}`",
                    place + asked,
                    cost.source_date if cost else "",
                ]
            )
    return table([said[each] for each in ("machine", "hour", "cloud", "type", "region", "dated")], rows)


def third(said: dict[str, str]) -> str:
    """What each model is, and what its server starts with."""
    rows = []
    for model, source in chosen().models.items():
        kinds = forms(model)
        able = abilities_of(model)
        tools = f"`{able.tool_call_parser}`" if able.tool_call_parser else "–"
        rows.append(
            [
                f"`{model}`",
                f"{kinds[0].parameters_b:,.1f}",
                f"{kinds[0].max_context:,}",
                ", ".join(dict.fromkeys(form(each) for each in kinds)),
                tools + (said["template"] if able.chat_template else ""),
                f"`{able.reasoning_parser}`" if able.reasoning_parser else "–",
                str([*chosen().sources].index(source) + 1),
            ]
        )
    return table([said[each] for each in ("model", "billions", "context", "forms", "tools", "reasoning", "why")], rows)


def page(language: str) -> str:
    """The whole page."""
    here = Path(__file__).parent
    said = json.loads((here / "words.json").read_text(encoding="utf-8"))[language]
    rate = catalog.load().exchange_rate
    values: dict[str, Any] = {
        "models": len(chosen().models),
        "rate": f"{rate.rate:g}",
        "rate_date": rate.source_date,
        "vllm": engine().version,
        "first": first(said),
        "second": second(said),
        "third": third(said),
        "missing": said["comma"].join(map(name, chosen().missing)),
        "sources": "\n".join(
            f"{number}. {each[language]} ({each['date']})" for number, each in enumerate(chosen().sources.values(), 1)
        ),
    }
    return (here / f"{language}.md.in").read_text(encoding="utf-8").format(**values)


def main() -> int:
    """Write the pages, or with ``--check`` only say whether that would change one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a page is not up to date")
    asked = parser.parse_args()
    old = [path for language, path in PAGES.items() if not path.exists() or path.read_text("utf-8") != page(language)]
    for path in old:
        if asked.check:
            sys.stdout.write(f"{path.relative_to(ROOT)} is not what tools/models-page writes\n")
        else:
            path.write_text(page(next(key for key, value in PAGES.items() if value == path)), encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if asked.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
