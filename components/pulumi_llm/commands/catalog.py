"""`pulumi-llm catalog show | refresh | add`: how old the catalogue is, today's prices from the clouds, your own models.

The package's catalogue has a date on each row. `refresh` asks the clouds' APIs for list prices, spot prices and stock,
with the vendors' SDKs (the extra refresh) and your credentials, and writes a catalogue of its own. It
is used where the environment variable PULUMI_LLM_CATALOG names its folder, by every command and by `pulumi up`:

  export PULUMI_LLM_CATALOG=~/.local/share/pulumi-llm/catalog

It was tested with recorded answers and the vendors' SDKs against a server on the same machine; it was never run
against a real account. Look at the changes that it tells before you rely on them. A stack that names neither its zone
nor its instance type may be given others by another catalogue: see `pulumi preview` before `pulumi up`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm.commands import DONE, REFUSED, Parser, UsageError, guarded
from pulumi_llm.errors import Finding, Refusal, UnknownName, nearest

PROG = "pulumi-llm catalog"
SUBCOMMANDS = ("show", "refresh", "add")

REFRESH_HELP = """Fetch list prices, spot prices and stock, and write a catalogue with them.

Clouds without credentials are named and skipped. Exit 0: everything asked was answered; 1: something failed (what was
answered is written, what was not is kept), or nothing could be asked; 2: called wrongly.

Aliyun is asked twice for each type in each region, some two thousand calls for all of them: name regions or a GPU.

It was never run against a real account, only against recorded answers and a server on the same machine.
"""

ADD_HELP = """Ask a hub about a model, and write its row into the models of your project.

The row goes into pulumi-llm.models.json beside Pulumi.yaml: commit it with the project. Stacks, `check` and the others
then know the model as they know those of the package, and ask no network. Where the hub's answers contradict each
other, or two hubs have different files under the name, nothing is written. Exit 0: written; 1: refused; 2: called
wrongly.
"""

SHOW_HELP = "Tell what the catalogue holds, how old it is, and the guide's prices beside today's."


def run(argv: Sequence[str]) -> int:
    """Run one of the subcommands."""
    arguments = list(argv)
    if arguments and arguments[0] in SUBCOMMANDS:
        name, rest = arguments[0], arguments[1:]
        bodies = {"show": _show, "refresh": _refresh, "add": _add}
        return guarded(f"{PROG} {name}", lambda: bodies[name](rest))
    return guarded(PROG, lambda: _neither(arguments))


def _neither(arguments: list[str]) -> int:
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"usage: {PROG} {{{','.join(SUBCOMMANDS)}}} [options]\n\n{__doc__}")
        return DONE
    if not arguments:
        raise UsageError(f"what about it? {' or '.join(SUBCOMMANDS)}")
    near = nearest(arguments[0], SUBCOMMANDS)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(SUBCOMMANDS)}"
    raise UsageError(f"there is no {arguments[0]!r}; {hint}")


def _show(argv: Sequence[str]) -> int:
    from pulumi_llm.refresh import show

    parser = _parser("show", SHOW_HELP)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse(argv)
    today = datetime.now(UTC).date()
    try:
        data = catalog.load()
        text = _dumped(show.as_json(data, today)) if asked.json else show.as_text(data, today)
    except Refusal as refusal:
        return _refused(refusal)
    sys.stdout.write(text)
    return DONE


def _refresh(argv: Sequence[str]) -> int:
    asked = _refresh_parser().parse(argv)
    from pulumi_llm.refresh import report, run, store  # the parser alone answers --help and wrong calls

    request = run.Request(
        cloud=asked.cloud,
        regions=tuple(dict.fromkeys(asked.region)),
        gpu=asked.gpu,
        tencent_site=asked.tencent_site,
        accept_jumps=asked.accept_jumps,
        directory=(asked.out.expanduser() if asked.out else store.default_directory()).absolute(),
    )
    try:
        outcome = run.refresh(request, datetime.now(UTC).date(), lambda line: _complain(f"{line} …"))
    except UnknownName:
        raise
    except Refusal as refusal:
        return _refused(refusal)
    if asked.json:
        sys.stdout.write(_dumped(report.as_json(outcome)))
    else:
        for finding in outcome.findings:
            _tell(finding)
        sys.stdout.write(report.as_text(outcome))
    return DONE if outcome.complete else REFUSED


def _add(argv: Sequence[str]) -> int:
    from pulumi_llm.catalog import hub, own
    from pulumi_llm.commands import _model

    parser = _parser("add", ADD_HELP)
    parser.add_argument("model", help="the model's id at the hub, such as org/name, or the path of its config.json")
    _model.add_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: {own.FILE} beside Pulumi.yaml")
    asked = parser.parse(argv)
    asked.cloud = asked.region = None
    try:
        home = own.project_of(Path.cwd())
        path = asked.out or (home / own.FILE if home else None)
        if path is None:
            raise UsageError("there is no Pulumi project here or above; --out FILE names the file")
        at_path = _model.is_path(asked.model)
        folder = Path(asked.model).expanduser() if at_path else _model.from_hub(asked)
        model = catalog.model_from_config(folder)
        if model.unknown_shape is not None or model.parameters_b is None:
            raise Refusal([own.unknown(model)])
        if not at_path and not asked.offline:
            model = hub.held_against(model, _model.hubs(asked), asked.revision)
        replaced = own.add(path, model)
    except Refusal as refusal:
        return _refused(refusal)
    size = f"{model.weights_gib:.2f} GiB of weights" if model.weights_gib else "its weights are computed from its shape"
    verb = "replaced in" if replaced else "added to"
    sys.stdout.write(f"{model.id}: {model.parameters_b:.2f} billion parameters, {size}; {verb} {path}\n")
    return DONE


def _refused(refusal: Refusal) -> int:
    for finding in refusal.findings:
        _complain(str(finding))
    return REFUSED


def _tell(finding: Finding) -> None:
    _complain(str(finding) if finding.severity == "error" else f"[{finding.code}] {finding.message}")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _parser(name: str, text: str) -> Parser:
    parser = Parser(f"{PROG} {name}", text)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _refresh_parser() -> Parser:
    parser = _parser("refresh", REFRESH_HELP)
    add = parser.add_argument
    add("--cloud", help="aliyun, tencent or aws (default: each that this machine has credentials for)")
    add("--region", action="append", default=[], help="a region; may be repeated (default: all that have the types)")
    add("--gpu", help="only machines with this GPU (default: all, and the CPU hosts for proxies)")
    add("--out", type=Path, metavar="DIR", help="where to write (default: pulumi-llm/catalog in your data folder)")
    add(
        "--tencent-site",
        choices=("china", "international"),
        help="where the Tencent account was opened: its API answers prices without a currency, CNY or USD",
    )
    add("--accept-jumps", action="store_true", help="take list prices that are four times those known, or a quarter")
    add("--json", action="store_true", help="changes, stock and findings as JSON")
    return parser
