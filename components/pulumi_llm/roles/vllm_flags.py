"""The command line that vLLM is started with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pulumi_llm._flags import flags_of
from pulumi_llm._texts import Text, _, either
from pulumi_llm.errors import Finding, Refusal, nearest
from pulumi_llm.roles import registry, tied, turning, vllm_values
from pulumi_llm.roles.files import data
from pulumi_llm.roles.requests import SECOND_PORT
from pulumi_llm.roles.vllm_drafts import by_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulumi_llm.roles.requests import Adapter, Guesser, VllmRole


GDN = "--gdn-prefill-backend"
RUNNER = "--runner"
TRACES = "--otlp-traces-endpoint"
AUTO, TOOLS, REASONING = "--enable-auto-tool-choice", "--tool-call-parser", "--reasoning-parser"
CHAT = "--chat-template"
CHAT_FILE = "/opt/llm/vllm/chat-template.jinja"
"""Where the main model's is; those of further models lie beside it."""


def chat_file(role: VllmRole) -> str:
    """Where a chat template lies that is not the model's own."""
    if role.name:
        return CHAT_FILE.replace(".jinja", f"-{role.name}.jinja")
    # The server that runs reads its own when it starts anew, whatever is loaded beside it.
    return CHAT_FILE if role.port != SECOND_PORT else CHAT_FILE.replace("chat", f"{SECOND_PORT}/chat")


def model_path(role: VllmRole | Adapter | Guesser) -> str:
    """Where a model, an adapter or what guesses ahead lies on the data disk; another revision lies beside it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "--", f"{role.model_id}@{role.revision or 'main'}".replace("@", "--"))
    return f"/srv/llm/models/{name}"


def quoted(argument: str) -> str:
    """One argument as ExecStart= wants it: systemd's own quotes, specifiers and variables taken literally.

    Raises:
        Refusal: ``bootstrap.bad-argument`` for a line break or another control character.
    """
    if any(ord(each) < 32 or ord(each) == 127 for each in argument):
        raise Refusal(
            [
                Finding(
                    "bootstrap.bad-argument",
                    _("{argument!r} holds a control character", argument=argument),
                    _("leave it out"),
                )
            ]
        )
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = argument and all(each.isalnum() or each in "-_./:,=@+%$" for each in argument)
    return escaped if plain else f'"{escaped}"'


def vllm_arguments(role: VllmRole) -> list[str]:
    """`vllm serve`'s arguments for a role, the model's path first.

    Raises:
        Refusal: `check_extra_arguments`'s findings, and those about flags that follow from several machines.
    """
    # Of the model itself its heads guess, or a copy of it.
    there = (role, *((role.guesser,) if role.guesser else ()))
    folders = {each.model_id: model_path(each) for each in there}
    return [
        model_path(role),
        *tied.listening(role),
        *by_folder(serving_arguments(role), folders),
        *turning.arguments(role),
    ]


def serving_arguments(role: VllmRole) -> list[str]:
    """The same without where the model lies and where vLLM listens: what is said wherever it runs.

    Raises:
        Refusal: `check_extra_arguments`'s findings.
    """
    check_extra_arguments(role.extra_args)
    if findings := list(tied.mistakes(role)):
        raise Refusal(findings)
    arguments = ["--served-model-name", role.served_name, "--dtype", role.dtype]
    arguments += ["--tensor-parallel-size", str(role.tensor_parallel_size), *tied.arguments(role)]
    arguments += ["--gpu-memory-utilization", str(role.gpu_memory_utilization)]
    if role.max_model_len is not None:
        arguments += ["--max-model-len", str(role.max_model_len)]
    arguments += typed_arguments(role)
    if role.adapters:
        arguments += [*role.slots, "--lora-modules", *(f"{each.name}={model_path(each)}" for each in role.adapters)]
    if role.kv_cache_dtype is not None:
        arguments += ["--kv-cache-dtype", role.kv_cache_dtype]
    if role.trust_remote_code:
        arguments.append("--trust-remote-code")
    # On Hopper vLLM takes FlashInfer's kernel for gated delta nets without asking whether it can be compiled.
    if GDN not in flags_of(role.extra_args) and not role.tpu:
        arguments += [GDN, "triton"]
    if role.task is not None and RUNNER not in flags_of(role.extra_args):
        arguments += [RUNNER, "pooling"]
    if role.task is None:
        arguments += parser_arguments(role)
    if chat_template(role) is not None:
        arguments += [CHAT, chat_file(role)]
    arguments += recommended_arguments(role)
    if role.traces and TRACES not in flags_of(role.extra_args):
        arguments += [TRACES, role.traces]
    # Prompts stay out of logs; a request in flight may finish when vLLM is restarted.
    arguments += ["--disable-uvicorn-access-log", "--disable-fastapi-docs", "--shutdown-timeout", "30"]
    return [*arguments, *role.extra_args]


def typed_arguments(role: VllmRole) -> list[str]:
    """The flags that role.yaml has for keys of the spec; true is a flag without a value, false and None are none."""
    arguments: list[str] = []
    for name, flag in registry.role(role.role).manifest.facts["flags"].items():
        value = role.flags.get(name)
        if value is True:
            arguments.append(flag)
        elif isinstance(value, list | tuple):
            arguments += [flag, *map(str, value)] if value else []
        elif value is not None and value is not False:
            arguments += [flag, str(value)]
    return arguments


def flags_of_spec(wanted: Any) -> dict[str, Any]:
    """What a spec, or anything with its fields, says of the keys that have a flag."""
    return {name: getattr(wanted, name, None) for name in registry.role("vllm").manifest.facts["flags"]}


def parser_arguments(role: VllmRole) -> list[str]:
    """The flags for tool calls and reasoning that ``extra_args`` neither set nor contradict.

    Without them vLLM answers 400 to a request that offers tools, and leaves a model's reasoning in its answer.
    ``--no-enable-auto-tool-choice`` and an empty ``--reasoning-parser=`` switch them off.
    """
    given = flags_of(role.extra_args)
    # vLLM does not start where its `hf` parser stands beside another one.
    if "hf" in (given.get(TOOLS), given.get(REASONING)):
        return []
    arguments: list[str] = []
    if role.tool_call_parser and not given.keys() & {TOOLS, "--no-enable-auto-tool-choice"}:
        arguments += [] if AUTO in given else [AUTO]
        arguments += [TOOLS, role.tool_call_parser]
    # The flag would go before the same setting in --structured-outputs-config.
    settings = any("reasoning_parser" in each for each in role.extra_args)
    if role.reasoning_parser and REASONING not in given and not settings:
        arguments += [REASONING, role.reasoning_parser]
    return arguments


def chat_template(role: VllmRole) -> str | None:
    """The file of the role's folder ``chat`` that stands in for the model's own template, if one does.

    It offers tools in the words that the catalogue's parser reads, so it comes with that parser and goes with it. That
    of a reranker puts the question and the text into the words that it was trained with.
    """
    given = flags_of(role.extra_args)
    if role.task is not None:
        return None if CHAT in given else role.chat_template
    other = given.get(TOOLS, role.tool_call_parser) != role.tool_call_parser or given.get(REASONING) == "hf"
    if role.tool_call_parser is None or other or given.keys() & {CHAT, "--no-enable-auto-tool-choice"}:
        return None
    return role.chat_template


def recommended_arguments(role: VllmRole) -> list[str]:
    """The flags that the catalogue has for the model, but for those that ``extra_args`` set, whole or in part.

    One that takes no value has an empty one.
    """
    given = {each.split(".")[0] for each in flags_of(role.extra_args)}
    pairs = zip(role.recommended[::2], role.recommended[1::2], strict=True)
    return [each for flag, value in pairs if flag not in given for each in (flag, value) if each]


def check_extra_arguments(extra: Iterable[str]) -> None:
    """Refuse what this vLLM would not start with, and what is not for the caller to set.

    Raises:
        Refusal: ``bootstrap.flag-reserved``, ``bootstrap.flag-gone``, ``bootstrap.unknown-flag``,
            ``bootstrap.flag-without-value``, ``bootstrap.needs-cuda-compiler``, all at once.
    """
    known, extra = data("vllm/flags.json"), tuple(extra)
    findings = [*_compiled(extra, known["compiled"]["kernels"]), *vllm_values.wrong(extra, known)]
    for argument in extra:
        flag, __, rest = argument.partition("=")
        if not flag.startswith("-") or flag.lstrip("-")[:1].isdigit():
            continue
        where = f"extra_args {argument!r}"
        # argparse would take "--api-k" for "--api-key", so an abbreviation is looked up as what it stands for.
        meant = (
            flag
            if flag in known["flags"]
            else next((each for each in known["reserved"] if each.startswith(flag)), flag)
        )
        if meant.startswith("-q") and not meant.startswith("--"):
            meant = "-q"
        if meant in known["reserved"]:
            findings.append(
                Finding(
                    "bootstrap.flag-reserved",
                    _("{flag} cannot be given", flag=flag),
                    Text(known["reserved"][meant]),
                    where=where,
                )
            )
        elif flag in known["gone"]:
            findings.append(
                Finding(
                    "bootstrap.flag-gone",
                    _("vLLM {version} has no {flag}, and would not start", version=known["version"], flag=flag),
                    Text(known["gone"][flag]),
                    where=where,
                )
            )
        elif flag.split(".")[0] not in known["flags"]:
            near = nearest(flag, known["flags"])
            hint = _("did you mean {names}?", names=either(near)) if near else "see `vllm serve --help=all`"
            if flag.split(".")[0] in known["newer"]["flags"]:
                hint = _("leave it out: vLLM {newer} is the first to have it", newer=known["newer"]["version"])
            findings.append(
                Finding(
                    "bootstrap.unknown-flag",
                    _(
                        "vLLM {version} has no {flag}{note}, and would not start",
                        version=known["version"],
                        flag=flag,
                        note="=" if rest else "",
                    ),
                    hint,
                    where=where,
                )
            )
    if findings:
        raise Refusal(findings)


def _compiled(extra: tuple[str, ...], kernels: list[str]) -> Iterator[Finding]:
    """A finding for each backend asked for whose kernels are compiled by nvcc, which a node does not have."""
    flag = ""
    for argument in extra:
        name, has_value, value = argument.partition("=")
        if argument.startswith("--"):
            flag, value = name, value if has_value else ""
        else:
            value = argument
        spelt = value.lower().replace("_", "").replace("-", "")
        if ("backend" in flag or "config" in flag) and any(each in spelt for each in kernels):
            yield Finding(
                "bootstrap.needs-cuda-compiler",
                _(
                    "{flag} asks for {value}, whose kernels are compiled by nvcc when vLLM starts, and a "
                    "node has no nvcc",
                    flag=flag,
                    value=value,
                ),
                _("leave it out: vLLM then takes kernels that come compiled, or that Triton compiles"),
                where=f"extra_args {argument!r}",
            )


def command_line(role: VllmRole, folder: str) -> str:
    """ExecStart= of a model's unit: the program in ``folder``, a flag and its values on one line each."""
    own = [f"{folder}/vllm serve", *_pairs([quoted(each) for each in vllm_arguments(role)])]
    if ray := tied.over_ray(role, folder):
        # Of vLLM there are workers alone on a further machine, which Ray starts there.
        own = [*_pairs(ray), *(["--", *own] if role.among and not role.among.rank else [])]
    return tied.prefix(role) + turning.prefix(role) + " \\\n    ".join(own)


def _pairs(arguments: list[str]) -> list[str]:
    """A flag and its values on one line of the unit, for whoever reads it."""
    lines: list[str] = []
    for each in arguments:
        if each.startswith("-") or not lines:
            lines.append(each)
        else:
            lines[-1] += f" {each}"
    return lines
