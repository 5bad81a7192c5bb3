"""How a program runs while its plan is captured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import pytest
from pulumi import _types
from pulumi.runtime import resource
from pulumi.runtime._context import wrap_with_context

from pulumi_llm._plan.asked_types import types_when_asked
from pulumi_llm._plan.loop import AtOnce, last, without_traces


@pytest.fixture
def loop() -> AtOnce:
    return AtOnce()


def run(loop: AtOnce, work: object) -> object:
    try:
        return loop.run_until_complete(work)  # type: ignore[call-overload]
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_the_sdks_own_calls_are_made_where_they_stand(loop: AtOnce) -> None:
    async def program() -> object:
        return await loop.run_in_executor(None, wrap_with_context(threading.get_ident))

    assert run(loop, program()) == threading.get_ident()


def test_what_a_program_puts_on_a_thread_goes_there_and_may_wait_for_the_loop(loop: AtOnce) -> None:
    async def later() -> int:
        await asyncio.sleep(0)
        return 7

    def on_a_thread() -> tuple[int, int]:
        return threading.get_ident(), asyncio.run_coroutine_threadsafe(later(), loop).result(5)

    async def program() -> object:
        return await asyncio.to_thread(on_a_thread)

    thread, answer = run(loop, program())  # type: ignore[misc]
    assert thread != threading.get_ident()
    assert answer == 7


def test_a_call_that_fails_fails_where_it_is_awaited(loop: AtOnce) -> None:
    async def program() -> None:
        await loop.run_in_executor(None, wrap_with_context(lambda: 1 / 0))

    with pytest.raises(ZeroDivisionError):
        run(loop, program())


def test_what_is_run_last_goes_on_after_all_others_that_can(loop: AtOnce) -> None:
    order: list[str] = []

    async def other(name: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        order.append(name)

    async def program() -> str:
        tasks = [asyncio.ensure_future(other(str(turns), turns)) for turns in range(4)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        order.append("program")
        return "done"

    assert run(loop, last(program())) == "done"
    assert order == ["0", "1", "2", "3", "program"]


def test_what_is_run_last_hears_that_it_is_cancelled_and_what_it_awaits_raises(loop: AtOnce) -> None:
    heard: list[str] = []

    async def program() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def around() -> None:
        task = asyncio.ensure_future(last(program()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        failing: asyncio.Future[None] = loop.create_future()
        loop.call_soon(failing.set_exception, KeyError("it"))

        async def waits() -> None:
            await failing

        with pytest.raises(KeyError):
            await last(waits())

    run(loop, around())
    assert heard == ["cancelled"]


def test_the_sdk_notes_lines_again_after_a_plan() -> None:
    before = resource._get_stack_trace
    with without_traces():
        assert len(resource._get_stack_trace().frames) == 0
    with contextlib.suppress(KeyError), without_traces():
        raise KeyError
    assert resource._get_stack_trace is before


def test_the_automation_api_is_there_for_who_asks_and_not_imported_for_a_plan() -> None:
    code = """
import sys
import pulumi_llm._plan.capture
print("pulumi.automation._local_workspace" in sys.modules, "dill" in sys.modules)
import pulumi
print(pulumi.automation.LocalWorkspace.__name__, pulumi.dynamic.Resource.__name__, "dill" in sys.modules)
from pulumi.automation import Stack
print(Stack.__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["False False", "LocalWorkspace Resource True", "pulumi.automation._stack"]


@pytest.mark.parametrize(
    "code",
    [
        "import ssl\nprint(ssl.create_default_context().check_hostname)",
        "from ssl import SSLContext, PROTOCOL_TLS_CLIENT\nprint(SSLContext(PROTOCOL_TLS_CLIENT).check_hostname)",
        "import ssl\nssl.create_default_context = 1\nssl.SSLError\nprint(ssl.create_default_context == 1)",
        "import ssl\nprint('SSLContext' in dir(ssl))",
        "import urllib.request, ssl\nprint(urllib.request.HTTPSHandler()._context.check_hostname)",
        "import grpc\nprint(callable(grpc.aio.insecure_channel))",
        "from grpc.aio import Channel\nimport grpc\nprint(grpc.aio.Channel is Channel)",
        "from google.protobuf import text_format, empty_pb2 as e\nprint(text_format.MessageToString(e.Empty()) == '')",
        "from google.protobuf.internal import python_message as m\nprint(callable(m.GeneratedProtocolMessageType))",
        "from importlib import metadata as m\nprint(m.version('pulumi-llm') == m.distribution('pulumi-llm').version)",
        "from importlib.metadata import version, distribution as d\nprint(version('jinja2') == d('jinja2').version)",
        "import importlib.metadata as m\ntry: m.version('pulumi-mars')\nexcept m.PackageNotFoundError: print(True)",
        "import importlib.metadata as m\nprint({*m.entry_points(group='pulumi_llm.clouds').names} >= {'aws'})",
        "import jinja2\nprint(jinja2.Template('{{ 1 + 2 }}').render() == '3')",
        "from jinja2.lexer import TokenStream, Token\nprint(isinstance(TokenStream([], None, None), TokenStream))",
        "from jinja2.compiler import CodeGenerator as C\nprint(issubclass(type('Own', (C,), {}), C))",
        "import jinja2 as j\nprint(isinstance(j.Environment()._tokenize('a', '', ''), j.lexer.TokenStream))",
        "from parver import Version\nprint(Version.parse('1.2.3').release == (1, 2, 3))",
        "from parver import Version as V\nprint(str(V.parse('1.2a3').bump_pre()) == '1.2a4')",
        "from parver import Version as V\nprint(str(V(release=(1, 2))) == '1.2')",
    ],
)
def test_what_comes_late_is_what_it_ever_was_to_who_asks(code: str) -> None:
    start = """
import sys
import pulumi_llm._plan.capture
late = ("asyncio.sslproto", "google.protobuf.internal.python_message", "grpc.aio", "ssl")
assert all("_late" in vars(sys.modules[each]) for each in late if each in sys.modules)
assert "ssl" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", start + code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True"]


@pytest.mark.parametrize("sdk", ["pulumi_alicloud", "pulumi_aws", "pulumi_command", "pulumi_random", "pulumi_tls"])
def test_an_sdk_finds_its_own_version_without_reading_its_metadata(sdk: str) -> None:
    code = f"""
import sys
import pulumi_llm._plan.capture
import {sdk}._utilities as found
print(found.get_version(), "email.message" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [metadata.version(sdk), "False"]


def test_what_others_make_of_our_dataclasses_is_what_they_make_of_the_standard_librarys() -> None:
    code = """
import dataclasses, sys
if sys.argv[1] == "ours":
    import pulumi_llm._plan
usual = dataclasses.dataclass
import annotated_types, parver, pydantic, pydantic.types, pydantic.functional_validators, pydantic.json_schema
from pydantic._internal import _decorators, _fields
print("usual", dataclasses.dataclass is usual, parver.Version.parse("1.2a3").bump_pre())
known = {}
for name, module in sorted(sys.modules.items()):
    if name.startswith(("pydantic", "annotated_types", "parver")):
        for value in vars(module).values():
            if isinstance(value, type) and "__dataclass_params__" in vars(value):
                known[f"{value.__module__}.{value.__qualname__}"] = value
import inspect
for name, one in sorted(known.items()):
    try: one(*range(99))
    except TypeError: pass
    takes = inspect.signature(one.__init__).parameters.values()
    takes = [(each.name, str(each.kind), each.default is each.empty) for each in takes]
    print(name, takes, [each.name for each in dataclasses.fields(one)], one.__hash__ is None)
print(annotated_types.Interval(ge=1, lt=3), list(annotated_types.Interval(ge=1, lt=3)))
print(annotated_types.Gt(2) == annotated_types.Gt(2), annotated_types.Gt(2) == annotated_types.Gt(3))
print(hash(annotated_types.Len(1, 2)) == hash((1, 2)), annotated_types.Timezone(...))
print(pydantic.StringConstraints(max_length=3), list(pydantic.StringConstraints(max_length=3)))
print(pydantic.AfterValidator(len), pydantic.AliasPath("a", 1), pydantic.UrlConstraints(host_required=True))
"""
    told = [
        subprocess.run([sys.executable, "-c", code, who], check=True, capture_output=True, text=True).stdout
        for who in ("ours", "theirs")
    ]
    assert told[0].count("\n") > 30
    assert told[0] == told[1]


def test_two_threads_that_ask_for_a_late_module_at_once_both_get_it() -> None:
    code = """
import threading
from importlib import metadata
from pathlib import Path
import pulumi_llm._plan.capture
import grpc
gate, found = threading.Barrier(8), []
def ask():
    gate.wait()
    found.append(grpc.aio.Channel)
threads = [threading.Thread(target=ask) for _ in range(8)]
[each.start() for each in threads], [each.join() for each in threads]
print(len(found), len(set(found)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["8", "1"]


@pytest.mark.parametrize("traced", [False, True])
def test_what_traces_calls_to_an_engine_comes_where_an_engine_traces(traced: bool) -> None:
    code = "import sys, pulumi_llm._plan, pulumi; print('opentelemetry.sdk.trace' in sys.modules)"
    parent = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} if traced else {}
    environment = {name: value for name, value in os.environ.items() if name != "TRACEPARENT"} | parent
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(traced)]


def test_of_a_program_that_fails_nothing_is_left_for_the_next_and_nothing_is_told_later() -> None:
    code = """
import gc, warnings
warnings.simplefilter("ignore")
import pulumi, pulumi_random
from pulumi_llm.errors import Refusal
from pulumi_llm._plan.capture import capture
def bad():
    import pulumi_aws as aws
    provider = aws.Provider("aws", region="mars-1")
    made = aws.ec2.Vpc("made", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(provider=provider))
    for each in (made.arn, made.id, made.urn):
        pulumi.export(f"o{id(each)}", each.apply(lambda value: value))
for _ in range(2):
    try:
        capture(bad)
    except Refusal as refusal:
        print([each.code for each in refusal.findings])
gc.collect()
print(len(capture(lambda: pulumi_random.RandomId("id", byte_length=4) and None).resources))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['plan.provider-refused']"] * 2 + ["1"]
    assert done.stderr == ""


@pytest.mark.filterwarnings("ignore:This resource is deprecated")
def test_each_property_has_the_type_that_the_sdk_itself_finds_and_its_functions_are_back_afterwards() -> None:
    from pulumi_command.remote import Command, CommandArgs, ConnectionArgs
    from pulumi_tls import CertRequest, CertRequestArgs

    inputs, resources = (CertRequestArgs, ConnectionArgs), (CertRequest, Command)
    usual = _types.input_type_types, _types.resource_types, _types._types_from_py_properties
    expected = [*map(_types.input_type_types, inputs), *map(_types.resource_types, resources)]
    with types_when_asked():
        assert _types.resource_types is not usual[1]
        assert [*map(_types.input_type_types, inputs), *map(_types.resource_types, resources)] == expected
        # An enumeration's values are sent as texts are: inputs are not asked about it.
        assert _types.input_type_types(CommandArgs).get("logging") is str
        assert _types.input_type_types(CommandArgs).get("nothing") is None
    assert (_types.input_type_types, _types.resource_types, _types._types_from_py_properties) == usual


def test_a_plan_sends_what_has_a_value_and_an_enumeration_as_its_value() -> None:
    code = """
import contextlib, pulumi
from pulumi_command.remote import Command, ConnectionArgs, Logging
from pulumi_llm._plan import capture as plans
def program():
    connection = ConnectionArgs(host="h", port=None, user=pulumi.Output.from_input("u"))
    Command("c", create="true", delete=None, logging=Logging.NONE, connection=connection, triggers=[None, 1])
    Command("d", create=None, logging="none", connection={"host": "h", "per_dial_timeout": 3}, environment={"A": "1"})
found = [[each.inputs for each in plans.capture(lambda: program()).resources]]
plans.types_when_asked = contextlib.nullcontext
found += [[each.inputs for each in plans.capture(lambda: program()).resources]]
print(len(found[0]), found[0] == found[1], found[0][0]["logging"])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["2 True none"]


def test_a_plan_of_a_stack_reads_no_rows_and_no_modules_that_it_has_no_use_for() -> None:
    code = """
import contextlib, io, sys
from pulumi_llm import cli
with contextlib.redirect_stdout(io.StringIO()):
    assert cli.main(["plan", "-s", "aliyun-t4"]) == 0
print(*sorted({"yaml", "http.server", "pulumi_llm._refresh.calls"} & set(sys.modules)))
from pulumi_llm import catalog
models = catalog.load().listed_models
print(sum(not isinstance(each, tuple) for each in models._rows.values()) * 10 < len(models))
import pydantic.plugin._loader
print(pydantic.plugin._loader._plugins)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.splitlines() == ["", "True", "None"]
