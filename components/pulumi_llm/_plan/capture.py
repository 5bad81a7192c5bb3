"""Run a Pulumi program in this process and capture what it registers. No engine, no account, no network.

The program talks to a monitor of ours instead of the engine's. Inputs are checked, and look-ups and computed outputs
answered, by the simulated clouds' logic (:mod:`pulumi_llm._simcloud.simulator`) as in a preview of an empty stack:
what only a cloud can tell stays unknown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from google.protobuf import empty_pb2
from pulumi.config import ConfigMissingError, ConfigTypeError
from pulumi.runtime import config as runtime_config
from pulumi.runtime import mocks, settings, stack
from pulumi.runtime.proto import callback_pb2, provider_pb2, resource_pb2

from pulumi_llm import _notices as notices
from pulumi_llm import _sparse_sdk as sparse_sdk
from pulumi_llm import spec
from pulumi_llm._plan import environment
from pulumi_llm._plan import project as projects
from pulumi_llm._plan.asked_types import types_when_asked
from pulumi_llm._plan.loop import AtOnce, last, without_traces
from pulumi_llm._plan.model import SECRET, SIGNATURE, UNKNOWN, LookUp, Plan, PlannedResource
from pulumi_llm._plan.program import as_the_host, run_main
from pulumi_llm._plan.structs import plain, struct, trigger
from pulumi_llm._provider_facts import packages, table
from pulumi_llm._resolve import kept
from pulumi_llm._simcloud.simulator import CloudError, Simulator, for_package
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

SIMULATED = packages()
PLACEHOLDER = "not-set"
"""Stands for a needed secret that is not set; a plan never holds the secrets themselves."""


class Standing(Protocol):
    """What stands already, which the program's resources are held against (see :mod:`pulumi_llm._plan.forecast`)."""

    def old_inputs(self, urn: str) -> dict[str, Any]:
        """The inputs of what stands under that URN; none where nothing does."""
        ...

    def settle(self, resource: PlannedResource, simulator: Simulator | None) -> PlannedResource:
        """The resource with its id and outputs, as `up` would leave it."""
        ...

    def for_checks(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as they are checked: what stands in for something else is unknown."""
        ...


def capture_stack(start: Path, stack_name: str, standing: Standing | None = None) -> Plan:
    """The plan of one stack of the project that ``start`` is in, where asked held against what is ``standing``.

    The program is run without the caller's environment: see :mod:`pulumi_llm._plan.environment`.
    A stack needs no file: then its values are those that the Pulumi.yaml has for every stack, and a note says so.
    Raises :class:`Refusal` where there is no such project, where the program refuses, where it asks for a value that
    the stack has not (``stack.no-value``) or has of another kind (``stack.bad-value``), and (``stack.unknown``) for
    what is no stack's name, or for one without a file whose program cannot do without its values.
    """
    project = projects.find(start)
    config = projects.read_stack(project, stack_name)
    fileless = None if project.stack_file(stack_name).is_file() else projects.fileless(project, stack_name)
    values, secret_keys = dict(config.values), set(config.secret_keys)
    notes = []
    platform, fleet = (config.raw.get(f"{project.name}:{kind}") for kind in ("platform", "fleet"))
    for key in (*spec.secret_keys_of(platform), *spec.secret_keys_of_fleet(fleet)):
        name = f"{project.name}:{key}"
        if not values.get(name):  # the empty text is a declared default
            values[name] = PLACEHOLDER
            secret_keys.add(name)
            notes.append(
                Finding(
                    "secret.missing",
                    _("{key} is not set; `up` needs it", key=key),
                    _("`pulumi config set --secret {key} -s {stack_name}`", key=key, stack_name=stack_name),
                    severity="warning",
                )
            )
    try:
        with environment.bare():
            plan = capture(
                lambda: run_main(project.main),
                project=project.name,
                stack_name=stack_name,
                config=values,
                secret_keys=secret_keys,
                standing=standing,
            )
    except (Refusal, ConfigMissingError, ConfigTypeError) as refused:
        said = refused.findings if isinstance(refused, Refusal) else (_of_value(refused, stack_name),)
        if fileless is None:
            raise Refusal(said) from None
        # That the stack has no platform, or lacks a value, follows from that.
        follows = ("stack.no-platform", "stack.no-value")
        raise Refusal([fileless, *(each for each in said if each.code not in follows)]) from None
    if fileless is not None:
        message = _(
            "{message}: its values are those that {path} has for every stack",
            message=fileless.message,
            path=project.path.name,
        )
        notes.insert(0, Finding("stack.no-file", message, fileless.hint, severity="info"))
    plan.notes[:0] = notes
    plan.config = {
        key: {SIGNATURE: SECRET, "value": text} if key in secret_keys else text for key, text in values.items()
    }
    return plan


def _of_value(wrong: ConfigMissingError | ConfigTypeError, stack: str) -> Finding:
    """What to say of a value that a program of the user's own asks for. The value is not told: it may be a secret."""
    if isinstance(wrong, ConfigMissingError):
        code, message = "stack.no-value", _("the program asks for {key}, which the stack does not have", key=wrong.key)
    else:
        kind = getattr(wrong.expect_type, "__name__", wrong.expect_type)
        code, message = (
            "stack.bad-value",
            _("{key} is not the {kind} that the program asks for", key=wrong.key, kind=kind),
        )
    secret = "--secret " if getattr(wrong, "secret", False) else ""
    return Finding(code, message, f"pulumi config set {secret}{wrong.key} VALUE -s {stack}")


def capture(
    program: Callable[[], Any],
    *,
    project: str = "project",
    stack_name: str = "dev",
    config: Mapping[str, str] | None = None,
    secret_keys: Iterable[str] = (),
    standing: Standing | None = None,
) -> Plan:
    """The plan of ``program``, a function that makes resources as a Pulumi program does.

    Raises :class:`Refusal` with everything that the program, or a simulated cloud's check of its inputs, refuses.
    """
    plan = Plan(project, stack_name)
    monitor = _Monitor(plan, standing)
    loop = AtOnce()
    asyncio.set_event_loop(loop)
    quiet = logging.getLogger("pulumi_llm._plan.engine")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    features = set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures)  # type: ignore[no-untyped-call]
    settings.configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=features,
            engine=mocks.MockEngine(quiet),
            project=project,
            stack=stack_name,
            dry_run=True,
            organization="organization",
            callbacks=_NoCallbacks(),
        )
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    runtime_config.set_all_config(dict(config or {}), list(secret_keys))
    try:
        with (
            sparse_sdk.sparse(),
            without_traces(),
            types_when_asked(),
            as_the_host(),
            notices.kept_in(plan.notes),
            kept.kept_in(plan.servers),
        ):
            loop.run_until_complete(last(stack.run_in_stack(program)))
    except Refusal as refusal:
        raise Refusal([*refusal.findings, *monitor.failures]) from None
    finally:
        wind_down(loop)
    if monitor.failures:
        raise Refusal(monitor.failures)
    return plan


def wind_down(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop that a program ran on. What a program that failed left under way ends first, and quietly."""
    # One failure is raised; the others, of what waited for the same, are told by nobody when they are let go.
    loop.set_exception_handler(lambda _loop, _context: None)
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    with settings.SETTINGS.lock:  # outputs that failed are kept, and the next program would wait for them
        settings.SETTINGS.outputs.clear()
    asyncio.set_event_loop(None)
    loop.close()


class _Monitor(mocks.MockMonitor):
    """The resource monitor's side of the protocol, answered in process."""

    def __init__(self, plan: Plan, standing: Standing | None) -> None:
        super().__init__(_NoMocks())
        self.plan = plan
        self.standing = standing
        self.failures: list[Finding] = []
        self._urns: set[str] = set()
        self._simulators: dict[tuple[str, str], Simulator] = {}
        self._regions: dict[str, str] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's rule: the chain of parents' types, without the stack's own."""
        chain = parent.split("::")[2] if parent else ""
        qualified = type_ if chain in ("", "pulumi:pulumi:Stack") else f"{chain}${type_}"
        return f"urn:pulumi:{self.plan.stack}::{self.plan.project}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self._urns:
            self.failures.append(
                Finding(
                    "plan.duplicate-urn",
                    _("two resources are called {urn}", urn=urn),
                    _("give one of them another name"),
                )
            )
        self._urns.add(urn)
        inputs = plain(request.object)
        simulator = None
        if request.type.startswith("pulumi:providers:"):
            self._regions[urn] = str(inputs.get("region", ""))
        elif request.custom:
            inputs, simulator = self._checked(urn, request.type, inputs, request.provider)
        resource = PlannedResource(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            inputs=inputs,
            provider=request.provider,
            dependencies=tuple(sorted(request.dependencies)),
            ignore_changes=tuple(request.ignoreChanges),
            protect=bool(request.protect),
            replace_on_changes=tuple(request.replaceOnChanges),
            retain_on_delete=bool(request.retainOnDelete),
            replacement_trigger=trigger(request),
        )
        if self.standing is not None:
            resource = self.standing.settle(resource, simulator)
            identity, state = resource.id, dict(resource.outputs)
        elif simulator is not None:
            identity, state = UNKNOWN, simulator.create(request.type, urn, inputs, preview=True)[1]
        else:
            identity, state = UNKNOWN if request.custom else "", inputs
        self.plan.resources.append(resource)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=struct(state))

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.plan.outputs = plain(request.outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        args = plain(request.args)
        self.plan.look_ups.append(LookUp(request.tok, args, request.provider))
        package = request.tok.split(":", 1)[0]
        try:
            result = self._simulator(package, request.provider).invoke(request.tok, args)
        except CloudError as refused:
            failure = provider_pb2.CheckFailure(property="", reason=str(refused))
            return resource_pb2.ResourceInvokeResponse(failures=[failure])
        return resource_pb2.ResourceInvokeResponse(**{"return": struct(result)})

    def _checked(
        self, urn: str, type_: str, inputs: dict[str, Any], provider: str
    ) -> tuple[dict[str, Any], Simulator | None]:
        """The inputs with the provider's defaults, and its simulator; None where the type is not known or refused."""
        package = type_.split(":", 1)[0]
        if package not in SIMULATED:
            return inputs, None
        if table.find(type_) is None:
            self.plan.notes.append(
                Finding(
                    "plan.unchecked-type",
                    _(
                        "{type} is none of the types that the simulated clouds know; its inputs are taken as they are",
                        type=type_,
                    ),
                    where=urn.rsplit("::", 1)[-1],
                    severity="info",
                )
            )
            return inputs, None
        simulator = self._simulator(package, provider)
        olds = self.standing.old_inputs(urn) if self.standing else {}
        checked, failures = simulator.check(type_, urn, olds, inputs, seed=b"plan")
        if failures and self.standing:
            __, failures = simulator.check(type_, urn, olds, self.standing.for_checks(inputs), seed=b"plan")
        name = urn.rsplit("::", 1)[-1]
        for each in failures:
            where = f"{name}.{each.path}" if each.path else name
            self.failures.append(Finding("plan.refused-input", each.reason, where=where))
        return (inputs, None) if failures else (checked, simulator)

    def _simulator(self, package: str, provider: str) -> Simulator:
        region = self._regions.get(provider.rsplit("::", 1)[0], "") or self._default_region(package)
        key = (package, region)
        if key not in self._simulators:
            simulator = for_package(package)
            try:
                simulator.configure({"region": region} if region else {})
            except CloudError as refused:
                raise Refusal(
                    [
                        Finding(
                            "plan.provider-refused",
                            _(
                                "the provider {package} cannot be configured: {refused}",
                                package=package,
                                refused=refused,
                            ),
                            _(
                                "an explicit provider with a region, or `pulumi config set {package}:region …`",
                                package=package,
                            ),
                        )
                    ]
                ) from None
            self._simulators[key] = simulator
        return self._simulators[key]

    def _default_region(self, package: str) -> str:
        """The region of the package's default provider: the stack's ``<package>:region``."""
        return str(runtime_config.get_config(f"{package}:region") or "")


class _NoMocks(mocks.Mocks):
    """The base class asks for mocks; everything that would use them is answered above."""

    def call(self, args: Any) -> Any:
        return {}, None

    def new_resource(self, args: Any) -> Any:
        return "", {}


class _NoCallbacks:
    """Takes hooks and transforms and calls none: nothing is carried out here. The SDK's own would start a server."""

    def __getattr__(self, name: str) -> Callable[..., callback_pb2.Callback]:
        if not name.startswith("register_"):
            raise AttributeError(name)
        return lambda *_: callback_pb2.Callback()
