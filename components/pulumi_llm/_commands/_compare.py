"""The comparison that is asked for, as text or JSON: the body of `pulumi-llm compare`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from pulumi_llm import catalog
from pulumi_llm._commands import DONE, UsageError, _compare_json, _compare_text, meant
from pulumi_llm._compare.comparison import compare
from pulumi_llm._compare.machines import Wanted
from pulumi_llm._compare.month import Month
from pulumi_llm._texts import _


def run(asked: Namespace) -> int:
    """Print the comparison. Gives the exit code."""
    month = Month(
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        hours=asked.hours,
        traffic_gib=asked.traffic_gib,
    )
    if not month.tokens:
        raise UsageError(_("no tokens at all: one of --input-tokens and --output-tokens has to be more than 0"))
    if asked.region is not None and asked.cloud is None:
        raise UsageError(_("--region needs --cloud: several clouds have regions of the same name"))
    wanted = Wanted(
        model=catalog.load().model(asked.model),
        context=asked.max_model_len,
        cloud=asked.cloud,
        region=asked.region,
        spot=asked.spot,
    )
    found = compare(wanted, month, [_chosen(each) for each in asked.chosen])
    if asked.json:
        sys.stdout.write(json.dumps(_compare_json.document(found), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_compare_text.text(found))
    return DONE


def _chosen(text: str) -> tuple[str, str]:
    """A vendor and its model; a model's name may have slashes of its own."""
    vendor, __, model = text.partition("/")
    known = catalog.load().upstreams
    if vendor not in known:
        raise UsageError(_("--with {text}: there is no vendor {vendor!r}; {meant}", text=text, vendor=vendor,
                           meant=meant(vendor, list(known))))  # fmt: skip
    if not model:
        raise UsageError(_("--with {text}: the vendor's model is missing, as in openai/gpt-6-luna", text=text))
    if known[vendor].sells == "nothing":
        raise UsageError(_("--with {text}: {title} is a server of your own, and has no price here", text=text,
                           title=known[vendor].title))  # fmt: skip
    return vendor, model
