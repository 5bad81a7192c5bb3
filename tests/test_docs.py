"""The docs say what the program does: every code, key and argument is explained, and what is shown works."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pulumi_llm import _docpages as docpages
from pulumi_llm import catalog, cli, spec
from pulumi_llm._plan.project import find
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.roles import registry
from tests import sources

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "templates/README.md"])
README, GUIDE = ROOT / "README.md", ROOT / "docs/user-guide.md"
TWINS = {page.with_name(page.name.replace(".zh.md", ".md")): page for page in DOCS if page.name.endswith(".zh.md")}
"""Each page that has a Chinese twin, with that."""
TROUBLESHOOTING, COMPONENTS = ROOT / "docs/troubleshooting.md", ROOT / "docs/components.md"

SHAPE = re.compile(r"[a-z]+\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
IN_BRACKETS = re.compile(rf"\[({SHAPE.pattern})\] ")
CALLS = {"Finding", "UnknownName", "Failure", "refuse", "_refuse", "_invalid", "_refused", "find", "must", "first"}
CALLS |= {"answer", "Wrong"}
"""The functions whose first argument is a code, or the end of one."""

FILE_ENDINGS = {"json", "py", "env", "pem", "sqlite", "yaml", "md", "crt", "key", "sh"}

OF_EVERY_SERVICE = {"crashes", "port-taken", "disk-full", "missing-file", "permission-denied", "out-of-memory"}
"""What a service's log may show whatever the service; the other signs are vLLM's words."""


# The codes that the program can say.


def test_every_code_has_a_section_in_the_troubleshooting_guide() -> None:
    # Of a service that needs no code its role says enough: `pulumi-llm explain` reads it there.
    plain = {name for name, each in registry.built_in().items() if each.manifest.code is None}
    told_by_roles = {code for each in docpages.of_roles() for code in each.codes if code.split(".")[0] in plain}
    assert sorted(codes() - set(sections()) - told_by_roles) == []


def test_every_section_of_the_troubleshooting_guide_is_of_a_code_that_can_occur() -> None:
    assert sorted(set(sections()) - codes()) == []


def test_every_section_says_what_to_do() -> None:
    lacking = [code for code, text in sections().items() if "**Do**" not in text or len(text) < 80]
    assert lacking == []


def test_every_code_has_a_section_in_chinese_too_under_the_same_heading_and_in_the_same_order() -> None:
    chinese = sections(TWINS[TROUBLESHOOTING])
    assert list(chinese) == list(sections())
    for code, text in sections().items():
        assert chinese[code].splitlines()[0] == text.splitlines()[0]


def test_every_chinese_section_is_chinese_and_says_what_to_do() -> None:
    for code, text in sections(TWINS[TROUBLESHOOTING]).items():
        said, mark, advice = text.partition("**怎么办**：")
        assert mark, code
        assert len(re.findall(r"[\u4e00-\u9fff]", said)) >= 4, code
        assert advice.strip(), code


def test_a_chinese_section_names_the_same_keys_commands_and_codes_as_the_english_one() -> None:
    def named(text: str) -> set[str]:
        return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))

    chinese = sections(TWINS[TROUBLESHOOTING])
    assert {code for code, text in sections().items() if named(text) != named(chinese[code])} == set()


@pytest.mark.parametrize("page", [TROUBLESHOOTING, TROUBLESHOOTING.with_suffix(".zh.md")], ids=["en", "zh"])
def test_the_contents_of_the_troubleshooting_guide_are_all_of_its_groups(page: Path) -> None:
    first, *groups = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    contents = page.read_text().split(f"## {first}\n", 1)[1].split("## ", 1)[0]
    assert re.findall(r"^- \[(.+)\]\(#", contents, re.MULTILINE) == groups


def test_a_chinese_page_leads_to_chinese_pages_where_there_are_any() -> None:
    for english, chinese in TWINS.items():
        text = chinese.read_text()
        linked = {(chinese.parent / each).resolve() for each in re.findall(r"\]\(([^)#\s]+\.md)[)#]", text)}
        assert linked & set(TWINS) <= {english}, chinese.name


def test_the_codes_are_really_found() -> None:
    # One of each way in which a code comes about, so that a scan that finds nothing does not pass.
    ways = {
        "spec.open-to-world",  # an argument
        "secret.in-the-clear",  # in a table that is looped over
        "sim.home-unusable",  # its end alone is the argument
        "bootstrap.bad-port",
        "weights.gated",  # put together from a table
        "disk.absent",  # chosen by an expression
        "node.no-cloud-init",  # within a shell command
        "vllm.no-bfloat16",  # from the signs in a log
        "driver.unit-failed",
    }
    assert ways <= codes()


def codes() -> set[str]:
    return codes_of_the_library() | codes_of_the_node()


@cache
def codes_of_the_library() -> set[str]:
    harness = (ROOT / "tools/boot/llm_boot").rglob("*.py")
    return codes_in(sorted([*(ROOT / "components/pulumi_llm").rglob("*.py"), *harness]))


@cache
def codes_of_the_node() -> set[str]:
    node = ROOT / "templates/node"
    found = {code for role in registry.built_in().values() for code in role.manifest.hints}
    found |= codes_in(sorted((node / "llm_node").rglob("*.py")))
    found |= codes_in(sorted((ROOT / "templates/gateway/llm_gate").glob("*.py")))
    stages = [each.name for role in registry.built_in().values() for each in role.manifest.stages]
    found |= {f"{stage}.{end}" for stage in stages for end in ("internal", "unit-failed")}
    found.add("serve.unit-failed")
    signs = set(json.loads((node / "signs.json").read_text()).values())
    roles = [each for each in registry.built_in().values() if each.manifest.service]
    services = [str(each.unit).removeprefix("llm-").removesuffix(".service") for each in roles]
    found |= {f"{each}.{kind}" for each in services for kind in {*OF_EVERY_SERVICE, "starting"}}
    found |= {f"vllm.{kind}" for kind in signs - OF_EVERY_SERVICE}
    return found | {f"{name}.not-ready" for name, each in zip(services, roles, strict=True) if each.manifest.health}


def codes_in(paths: list[Path]) -> set[str]:
    """The codes that modules name: whole ones, and those of which a function puts the prefix in front."""
    found = {code for path in paths for code in codes_given(path)}
    # Codes also stand in tables and comparisons: any text with the prefix of a code is one.
    prefixes = {code.split(".")[0] for code in found}
    found |= {text for path in paths for text in texts(sources.nodes(path)) if text.split(".")[0] in prefixes}
    return {code for code in found if SHAPE.fullmatch(code) and code.split(".")[1] not in FILE_ENDINGS}


def codes_given(path: Path) -> Iterator[str]:
    calls = [each for each in sources.nodes(path) if isinstance(each, ast.Call) and each.args]
    for text in texts(sources.nodes(path)):
        yield from IN_BRACKETS.findall(text) if "[" in text else ()
    for call in calls:
        if call_name(call) in CALLS:
            yield from (text for text in texts(ast.walk(call.args[0])) if SHAPE.fullmatch(text))
    if not re.search(r"\bf?['\"][a-z]+\.(?:[a-z-]*\{|['\"] ?\+)", path.read_text(encoding="utf-8")):
        return  # no code is put together in it
    for function in [each for each in sources.nodes(path) if isinstance(each, ast.FunctionDef)]:
        prefix = prefix_of(function)
        for call in calls if prefix else ():
            if call_name(call) == function.name:
                yield from (prefix + text for text in texts(ast.walk(call.args[0])))
        for each in ast.walk(function):  # "apt." + kind, where kind comes from a table of the same function
            if isinstance(each, ast.BinOp) and isinstance(each.left, ast.Constant):
                left = str(each.left.value)
                if re.fullmatch(r"[a-z]+\.", left):
                    tables = [row for row in ast.walk(function) if isinstance(row, ast.Dict)]
                    yield from (
                        left + text for row in tables for value in row.values for text in texts(ast.walk(value))
                    )


def prefix_of(function: ast.FunctionDef) -> str:
    """`sim.` of a function that makes a code as f"sim.{code}" from its first argument."""
    names = [each.arg for each in function.args.args if each.arg != "self"]
    for each in ast.walk(function):
        if isinstance(each, ast.JoinedStr) and len(each.values) == 2:
            start, end = each.values
            if isinstance(start, ast.Constant) and isinstance(end, ast.FormattedValue):
                name = end.value.id if isinstance(end.value, ast.Name) else ""
                if name in names[:1] and re.fullmatch(r"[a-z]+\.[a-z-]*", str(start.value)):
                    return str(start.value)
    return ""


def call_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def texts(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for each in nodes:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


@cache
def sections(page: Path = TROUBLESHOOTING) -> dict[str, str]:
    """The troubleshooting guide by code: anchors stand before a heading that names their codes."""
    found: dict[str, str] = {}
    parts = re.split(r"^((?:<a id=\"[^\"]+\"></a>\n?)+)\n*(?=### )", page.read_text(), flags=re.MULTILINE)
    for anchors, text in zip(parts[1::2], parts[2::2], strict=True):
        body = re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for anchor in re.findall(r'id="([^"]+)"', anchors):
            code = anchor.replace("-", ".", 1)
            assert code not in found, f"{code} has two sections"
            assert code.split(".", 1)[1] in body.split("\n", 1)[0], f"the heading of {code} does not name it"
            found[code] = body
    return found


# The prices.

PRICES = ROOT / "docs/prices.md", ROOT / "docs/prices.zh.md"
UNKNOWN_IN = {"prices.md": ("unknown", "undated", " to "), "prices.zh.md": ("未知", "无日期", " 至 ")}


@pytest.mark.parametrize("page", PRICES, ids=["en", "zh"])
def test_the_dates_of_prices_that_the_docs_tell_are_those_of_the_catalogue(page: Path) -> None:
    unknown, undated, to = UNKNOWN_IN[page.name]
    data = catalog.load()
    kinds = ("disk", "public-address", "traffic-out", "storage")
    rows = [
        [{each.source_date for each in data.prices if each.cloud == cloud} for cloud in ("aliyun", "tencent", "aws")],
        *(
            [
                {each.source_date for each in data.extras if (each.cloud, each.kind) == (cloud, kind)}
                for cloud in ("aliyun", "tencent", "aws")
            ]
            for kind in kinds
        ),
    ]
    for dates in rows:
        told = [{day for day in each if day != "undated"} or each for each in dates]
        cells = [to.join(sorted({min(each), max(each)})) if each else unknown for each in told]
        line = " | ".join(undated if cell == "undated" else cell for cell in cells)
        assert f"| {line} |\n" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PRICES, ids=["en", "zh"])
@pytest.mark.parametrize("stack", find(ROOT).stacks())
def test_the_price_of_a_stack_that_the_docs_tell_is_the_one_in_its_file(page: Path, stack: str) -> None:
    row = re.search(rf"^\| `{stack}` \|.*\| ([^|]*) \|$", page.read_text(), re.MULTILINE)
    head = (ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text().split("List prices")[0]
    assert row
    price = row[1].replace("至少", "at least").replace("未知", "unknown")
    if "price is unknown" in head:
        assert price == "unknown"
    else:
        cny, usd = re.findall(r"(?:at least )?[\d.,]+ (?:CNY|USD)", price)
        assert f"COST: {cny} ({usd}) an hour" in head


# The spec and the components.

MODELS = (
    spec.PlatformSpec,
    spec.ServerSpec,
    spec.ModelSpec,
    spec.AdapterSpec,
    spec.ServiceSpec,
    spec.AppsSpec,
    spec.ChatSpec,
    spec.RagSpec,
    spec.AlternativeSpec,
    spec.IdleStopSpec,
    spec.TracesSpec,
    spec.TurnsSpec,
    spec.DiskSpec,
    spec.SnapshotsSpec,
    spec.WeightsSpec,
    spec.AccessSpec,
    spec.BackupSpec,
    spec.VectorizerSpec,
    spec.VectorsSpec,
    spec.ProxySpec,
    spec.UpstreamSpec,
    spec.PriceSpec,
    spec.RouteSpec,
    spec.NetworkSpec,
    spec.DomainSpec,
    spec.AcmeSpec,
    spec.RecordSpec,
    spec.HostSpec,
    spec.HostPriceSpec,
    spec.KeySpec,
    spec.ContentSpec,
    spec.WordListSpec,
    spec.ModeratorSpec,
)


def test_every_part_of_the_spec_is_among_those_that_the_guide_is_checked_for() -> None:
    reached, todo = set(), [spec.PlatformSpec]
    while todo:
        model = todo.pop()
        reached.add(model)
        todo += [each for field in model.model_fields.values() for each in parts_of(field.annotation)]
    assert reached == set(MODELS)


def parts_of(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in parts_of(inner)]


@pytest.mark.parametrize("guide", [GUIDE, TWINS[GUIDE]], ids=["en", "zh"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_guide_lists_each_key_of_the_spec_with_its_default(guide: Path, model: type[BaseModel]) -> None:
    table = re.search(rf"<!-- {model.__name__} -->\n(.*?)\n\n", guide.read_text(), re.DOTALL)
    assert table, f"{guide.name} has no table of {model.__name__}"
    rows = [line.split(" | ") for line in table[1].splitlines()[2:]]
    given = {row[0].strip("|` "): row[2].strip() for row in rows}
    assert given == {name: default_of(model, name) for name in model.model_fields}
    assert all(len(row[3].strip(" |")) > 3 for row in rows)
    for row in rows:
        choices = choices_of(model.model_fields[row[0].strip("|` ")].annotation)
        assert not choices or set(re.findall(r"`([^`]+)`", row[1])) == choices


def choices_of(annotation: Any) -> set[str]:
    """The values that a key may take, where there are few."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {choice for inner in get_args(annotation) for choice in choices_of(inner)}


def default_of(model: type[BaseModel], name: str) -> str:
    """A default as the guide writes it."""
    field = model.model_fields[name]
    value = field.default
    if field.default_factory is not None:
        value = field.get_default(call_default_factory=True)
        if isinstance(value, spec.NetworkSpec):
            value = {"cidr": value.cidr}
        elif value and isinstance(value, dict):
            value = {key: {} for key in value}
    if value is PydanticUndefined:
        return "**required**"
    return "none" if value is None else f"`{json.dumps(value)}`"


# What is shown.


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            assert linked.exists(), f"{target} is not there"
            if anchor and linked.suffix == ".md":
                assert anchor in anchors_of(linked), f"{target}: no such anchor"


def anchors_of(page: Path) -> set[str]:
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize(("english", "chinese"), TWINS.items(), ids=[page.stem for page in TWINS])
def test_the_chinese_twin_has_the_same_headings_and_the_same_code(english: Path, chinese: Path) -> None:
    def levels(page: Path) -> list[str]:
        return re.findall(r"^(#+) ", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)

    assert levels(chinese) == levels(english)
    assert blocks(chinese) == blocks(english)


def blocks(page: Path, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in DOCS if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_python_and_data_in_the_docs_can_be_read(page: Path) -> None:
    for code in blocks(page, "python"):
        compile(code, page.name, "exec")
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "yaml"):
        if "{{ " not in text:  # a template becomes YAML when it is filled in
            yaml.safe_load(text)


@pytest.mark.parametrize("page", [README, GUIDE], ids=lambda page: page.name)
def test_a_stack_that_the_docs_show_passes_the_spec_and_the_fit_check(page: Path) -> None:
    shown = [yaml.safe_load(text) for text in blocks(page, "yaml")]
    stacks = [each["config"]["pulumi-llm:platform"] for each in shown if "config" in each]
    assert stacks
    for each in stacks:
        assert resolve_platform(each).server.model


def test_the_commands_that_the_docs_name_exist() -> None:
    for page in DOCS:
        if page.name != "CHANGELOG.md":  # which tells of what was
            named = set(re.findall(r"(?:`|\$ |^)pulumi-llm ([a-z]+)", page.read_text(), re.MULTILINE))
            assert named - {"on"} <= set(cli.COMMANDS), page.name


def test_both_pages_on_real_accounts_name_every_credential() -> None:
    page = ROOT / "docs/real-account.md"
    names = ("AWS_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID", "TENCENTCLOUD_SECRET_ID")
    for each in (page, TWINS[page]):
        text = each.read_text()
        assert [name for name in names if name not in text] == []
