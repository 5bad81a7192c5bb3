"""A request, checked, and the verdict as text or JSON: the body of `pulumi-llm check`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog
from pulumi_llm._commands import DONE, REFUSED, UsageError, _model
from pulumi_llm._commands._node_size import with_user_data
from pulumi_llm._texts import _, listed
from pulumi_llm.preflight import adapters, served_adapters
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

if TYPE_CHECKING:
    from pulumi_llm._outlook.ends import End

PROG = "pulumi-llm check"


_NAMED = (
    *("gpu", "cloud", "region", "zone", "instance_type", "quantization", "max_model_len", "concurrency"),
    *("gpu_memory_utilization", "adapter_rank", "max_num_seqs", "driver", "model_disk_gib", "fleet"),
)
OF_A_SERVER: dict[str, Any] = dict.fromkeys(_NAMED) | {
    "gpu_count": 1, "dtype": "auto", "kv_cache_dtype": "auto", "adapters": 0, "beside": [], "ends": False
}  # fmt: skip
"""The options about a model's server, each with its default."""


def run(asked: Namespace) -> int:
    """Print the verdict, as text or JSON. Gives the exit code."""
    about_a_server = [
        f"--{name.replace('_', '-')}" for name, default in OF_A_SERVER.items() if getattr(asked, name) != default
    ]
    if asked.vectors is not None or asked.dimensions is not None:
        beside = [*about_a_server, *(["--upstream"] if asked.upstream else [])]
        if beside:
            raise UsageError(
                _("--vectors and --dimensions ask about vector stores alone: leave {options} out",
                  options=listed(beside))
            )  # fmt: skip
        from pulumi_llm._commands import _vectors

        return _vectors.run(asked)
    if asked.upstream and not asked.model:
        if about_a_server:
            raise UsageError(
                _("{options}: of a server with which model? Name it, or leave them out", options=listed(about_a_server))
            )
        return _of_vendors(asked)
    if asked.beside and asked.fleet is not None:
        raise UsageError(_("--fleet is about copies of one model, and --beside names another"))
    if asked.beside:
        from pulumi_llm._commands import _check_models as several

        together, seats = several.verdict(asked, _request(asked))
        report = with_user_data(together)
        document, text = {**report.for_json(), "models": several.for_json(seats)}, several.table(seats)
    else:
        report = with_user_data(check(_request(asked)))
        document, text = report.for_json(), ""
        if asked.fleet is not None:
            from pulumi_llm._commands import _check_fleet as fleets

            found = fleets.sizing(asked, report)
            document |= {"fleet": found.for_json() if found else None}
            text = str(found) if found else ""
    ends: list[End] = []
    if asked.ends or asked.upstream:
        from pulumi_llm._commands import _check_ends

        ends = _check_ends.ends_of(asked)
        document |= {"ends": _check_ends.for_json(ends)}
    if asked.json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(str(report) + text)
        if asked.ends or asked.upstream:
            sys.stdout.write("\n")
            _check_ends.say(ends)
    return DONE if report.ok and not (ends and _check_ends.over(ends)) else REFUSED


def _of_vendors(asked: Namespace) -> int:
    """Vendors' models alone."""
    from pulumi_llm._commands import _check_ends

    ends = _check_ends.ends_of(asked)
    if asked.json:
        sys.stdout.write(json.dumps({"ends": _check_ends.for_json(ends)}, indent=2, ensure_ascii=False) + "\n")
    else:
        _check_ends.say(ends)
    return REFUSED if _check_ends.over(ends) else DONE


def _by_its_type(asked: Namespace) -> None:
    """Where a machine is named and no GPU: that of the machine, and as many as it has."""
    if asked.instance_type is not None and asked.cloud is not None:
        row = catalog.load().instance(asked.cloud, asked.instance_type)
        if row.gpu is not None:
            asked.gpu, asked.gpu_count = row.gpu, row.gpu_count


def _request(asked: Namespace) -> FitRequest:
    if not asked.model:
        raise UsageError(
            _("name a model: {prog} Qwen/Qwen2.5-7B-Instruct --gpu A10, or give the path of a config.json", prog=PROG)
        )
    if asked.gpu is None:
        _by_its_type(asked)
    if asked.gpu is None:
        raise UsageError(
            _(
                "name a GPU with --gpu; `pulumi-llm offers --model {model}` lists those that it fits on",
                model=asked.model,
            )
        )
    if asked.concurrency and asked.max_num_seqs and asked.concurrency > asked.max_num_seqs:
        raise UsageError(
            _(
                "--concurrency {concurrency} contradicts --max-num-seqs {max_num_seqs}, with which "
                "vLLM lets the others wait: --max-num-seqs {concurrency} or more, or neither",
                concurrency=asked.concurrency,
                max_num_seqs=asked.max_num_seqs,
            )
        )
    if asked.adapter_rank is not None and not asked.adapters:
        raise UsageError(_("--adapter-rank needs --adapters: how many there are"))
    if asked.region is not None and asked.cloud is None:
        raise UsageError(_("--region needs --cloud: several clouds have regions of the same name"))
    if asked.zone is not None and asked.region is None:
        raise UsageError(_("--zone needs --region, whose zone it is"))
    if asked.instance_type is not None and asked.region is None:
        raise UsageError(_("--instance-type needs --region, where it is to be"))
    if asked.cloud is not None:
        catalog.load().cloud(asked.cloud)
        if asked.region is not None:
            catalog.load().region(asked.cloud, asked.region)
    model, from_config = _model.place(asked)
    return FitRequest(
        model=model,
        from_config=from_config,
        hub_id=None if not from_config or _model.is_path(asked.model) else asked.model,
        gpu=catalog.load().gpu(asked.gpu).name,
        gpu_count=asked.gpu_count,
        cloud=asked.cloud,
        region=asked.region,
        zone=asked.zone,
        instance_type=asked.instance_type,
        quantization=asked.quantization,
        dtype="half" if asked.dtype == "float16" else asked.dtype,
        max_model_len=asked.max_model_len,
        concurrency=asked.concurrency,
        gpu_memory_utilization=0.9 if asked.gpu_memory_utilization is None else asked.gpu_memory_utilization,
        max_num_seqs=asked.max_num_seqs,
        kv_cache_dtype="fp8" if asked.kv_cache_dtype == "fp8_e4m3" else asked.kv_cache_dtype,
        driver=asked.driver,
        model_disk_gib=asked.model_disk_gib,
        adapters=served_adapters.flags(asked.adapters, asked.adapter_rank or adapters.DEFAULT_RANK),
    )
