"""The rules as a Pulumi policy pack: the engine's analyzer protocol, served for ``policy/``.

Rules about one resource are asked before it is made, so that a bad one is not; rules about the whole stack at the end
of a preview, and of an `up`. The protocol is served directly, as the policy SDK takes the marks off secrets before a
policy sees them: see docs/decisions/policy-pack.md.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent import futures
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from pulumi_llm import clouds
from pulumi_llm._language import told, tr
from pulumi_llm._plan import project as projects
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource
from pulumi_llm._plan.structs import plain
from pulumi_llm._review import policy
from pulumi_llm._review.policy_settings import CONFIG_KEY, Settings, combined, read
from pulumi_llm.errors import Refusal

NAME = "pulumi-llm"
FILE_VARIABLE = "PULUMI_LLM_POLICY"
"""Environment variable that names a settings file, in place of the one beside Pulumi.yaml."""

OF_THE_STACK = frozenset({"policy.no-firewall", "policy.over-budget", "policy.budget-undecided"})
"""Rules that look at several resources at once; all others are asked about each resource before it is made."""

NOT_SEEN = frozenset({"policy.image-moves"})
"""Rules about look-ups, which the engine does not show to a policy pack."""

UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        UNKNOWN,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""The engine's markers of values that are not known yet (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go)."""

MOST_BYTES = 400 * 1024 * 1024
"""The largest message, as the engine has it (sdk/go/common/util/rpcutil)."""

_LEVELS = {
    "error": analyzer_pb2.MANDATORY,
    "warning": analyzer_pb2.ADVISORY,
    "info": analyzer_pb2.DISABLED,
}


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """The analyzer's side of the protocol, for one operation of the engine."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self.settings = Settings()
        self.levels: dict[str, analyzer_pb2.EnforcementLevel.ValueType] = {
            code: _LEVELS[self.settings.severity_of(code)] for code in policy.RULES
        }
        self.regions: dict[str, str] = {}
        self.stack, self.project = "", ""
        self.seen: dict[str, PlannedResource] = {}

    def Handshake(self, request: Any, context: Any) -> Any:
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def ConfigureStack(self, request: Any, context: Any) -> Any:
        self.stack, self.project = request.stack, request.project
        self.regions = {
            each.package: value
            for each in clouds.folders().values()
            if (value := request.config.get(f"{each.package}:region", ""))
        }
        try:
            self.settings = _settings(self.folders, self.project, request.config.get(CONFIG_KEY))
        except Refusal as refusal:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the policy's settings are wrong:\n{refusal}")
        self.levels = {code: _LEVELS[self.settings.severity_of(code)] for code in policy.RULES}
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:
        policies = [
            analyzer_pb2.PolicyInfo(
                name=code,
                description=_first_line(rule.__doc__),
                enforcementLevel=self.levels[code],
                policy_type=(
                    analyzer_pb2.POLICY_TYPE_STACK if code in OF_THE_STACK else analyzer_pb2.POLICY_TYPE_RESOURCE
                ),
            )
            for code, rule in policy.RULES.items()
        ]
        return analyzer_pb2.AnalyzerInfo(
            name=NAME, displayName=NAME, version=_version(), supportsConfig=True, policies=policies
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=_version())

    def Configure(self, request: Any, context: Any) -> Any:
        """What `--policy-pack-config` says of each rule comes over the settings' severities."""
        self.levels |= {code: each.enforcementLevel for code, each in request.policyConfig.items()}
        return empty_pb2.Empty()

    def Analyze(self, request: Any, context: Any) -> Any:
        resource = _resource(request)
        self.seen[resource.urn] = resource
        provider = request.provider if request.HasField("provider") else None
        around = [] if provider is None else [_resource(provider)]
        around += [self.seen[resource.parent]] if resource.parent in self.seen else []
        codes = policy.RULES.keys() - OF_THE_STACK - NOT_SEEN
        return self._answer([*around, resource], codes, only=resource.urn)

    def AnalyzeStack(self, request: Any, context: Any) -> Any:
        resources, outputs = [], {}
        for each in request.resources:
            if each.type == "pulumi:pulumi:Stack":
                outputs = _known(plain(each.properties))
            elif each.urn in self.seen:
                found = tuple(dict.fromkeys([*each.dependencies, *self.seen[each.urn].dependencies]))
                resources.append(replace(self.seen[each.urn], dependencies=found))
        response = self._answer(resources, OF_THE_STACK)
        told = self._answer([], {"policy.plain-secret"}, outputs=outputs)
        response.diagnostics.extend(told.diagnostics)
        return response

    def Remediate(self, request: Any, context: Any) -> Any:
        return analyzer_pb2.RemediateResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def _answer(
        self,
        resources: list[PlannedResource],
        codes: Iterable[str],
        *,
        only: str | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> Any:
        plan = Plan(self.project, self.stack, resources, dict(outputs or {}))
        wanted = {code for code in codes if self.levels.get(code) != analyzer_pb2.DISABLED}
        response = analyzer_pb2.AnalyzeResponse()
        for each in policy.judge(plan, self.settings, default_regions=self.regions, rules=wanted):
            finding = each.finding
            excepted = each.exemption is not None
            if finding.code not in wanted or (only is not None and each.urn != only):
                continue
            if each.undecided and not excepted:
                continue  # `up` knows
            place = f"{finding.where}: " if finding.where else ""
            hint = "\n" + tr("try: {hint}", hint=finding.hint) if finding.hint else ""
            response.diagnostics.append(
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=finding.code,
                    policyPackName=NAME,
                    policyPackVersion=_version(),
                    description=_first_line(policy.RULES[finding.code].__doc__),
                    message=f"{place}{told(finding.message)}{hint}",
                    enforcementLevel=analyzer_pb2.ADVISORY if excepted else self.levels[finding.code],
                    urn=each.urn,
                )
            )
        return response


def serve() -> None:
    """Serve the rules until the engine is gone. The first line on standard output is the port, for the engine."""
    options = [("grpc.max_receive_message_length", MOST_BYTES), ("grpc.max_send_message_length", MOST_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=options)
    # Where a language host starts the pack in the pack's own folder, PWD still says where the engine was called.
    folders = [Path.cwd(), Path(os.environ.get("PWD") or ".")]
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(*folders), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    started_by = os.getppid()
    try:
        while os.getppid() == started_by:
            time.sleep(1)
    except KeyboardInterrupt:
        pass
    server.stop(None)


def _settings(folders: Iterable[Path], project: str, config: str | None) -> Settings:
    """The settings of the project of that name. ``folders`` are where it may be, or is above."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return read(Path(named))
    for folder in folders:
        try:
            found = projects.find(folder)
        except Refusal:
            continue
        if found.name == project:
            return combined(found.folder, config)
    sys.stderr.write(f"policy: the folder of the project {project} is not found: {FILE_VARIABLE} names its settings\n")
    return combined(None, config)


def _resource(message: Any) -> PlannedResource:
    provider = getattr(message, "provider", None)
    is_custom = message.type.startswith("pulumi:providers:") or (provider is not None and message.HasField("provider"))
    options = getattr(message, "options", None)
    return PlannedResource(
        urn=message.urn,
        type=message.type,
        name=message.name,
        parent=options.parent if options is not None else "",
        custom=is_custom,
        inputs=_known(plain(message.properties)),
        provider=f"{provider.urn}::id" if provider is not None and provider.urn else "",
        ignore_changes=tuple(options.ignoreChanges) if options is not None else (),
        protect=bool(options.protect) if options is not None else False,
    )


def _known(value: Any) -> Any:
    """``value`` with each of the engine's markers of unknown values as the one that plans hold."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_known(each) for each in value]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWNS else value


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n", 1)[0]


def _version() -> str:
    try:
        return version("pulumi-llm")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0.0.0"
