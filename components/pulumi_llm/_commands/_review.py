"""What `diff` and `comment` share: how a review is written, and the gates."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

from pulumi_llm import _files
from pulumi_llm import _system as system
from pulumi_llm._commands import DONE, REFUSED, UsageError
from pulumi_llm._language import current, tr
from pulumi_llm._review import comment, output
from pulumi_llm._review.masking import Masker, secrets_in_environment
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, Refusal, nearest


def check_gates(asked: Iterable[str] | None) -> None:
    """Raise UsageError for a gate that does not exist."""
    for each in asked or ():
        if each not in output.gates():
            near = nearest(each, output.gates())
            known = (
                _("did you mean {names}?", names=either(near))
                if near
                else _("there are: {names}", names=listed(output.gates()))
            )
            raise UsageError(_("there is no gate {name!r}; {names}", name=each, names=known))


def write(reviews: Sequence[StackReview], asked: argparse.Namespace, base: dict[str, str] | None) -> int:
    """Write what is asked for. Gives the exit code."""
    not_passed = output.failed(reviews, asked.fail_on or ("errors",))
    mask = Masker([text for each in reviews for text in each.secrets] + sorted(secrets_in_environment())).mask_values
    if asked.json:
        text = json.dumps(output.to_json(reviews, base, not_passed), indent=2, ensure_ascii=False) + "\n"
        text = mask(text)
    else:
        text = comment.render(reviews, asked.lang or current(), marker=asked.marker, mask=mask)
    if asked.out is None:
        sys.stdout.write(text)
    else:
        try:
            _files.write_text(asked.out, text)
        except OSError as wrong:
            raise Refusal(
                [
                    Finding(
                        "diff.unwritable",
                        _("{out} cannot be written: {problem}", out=asked.out, problem=system.why(wrong)),
                    )
                ]
            ) from None
    for gate in not_passed:
        sys.stderr.write(tr("not passed: {gate}\n", gate=gate))
    return REFUSED if not_passed else DONE
