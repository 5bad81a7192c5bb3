"""Capturing a program in process: what is recorded, and what is refused as the engine or a cloud would refuse it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest

from pulumi_llm._plan.capture import capture, capture_stack
from pulumi_llm._plan.model import UNKNOWN, Plan, is_secret, masked
from pulumi_llm.errors import Refusal


def codes(program: Any, **options: Any) -> list[str]:
    with pytest.raises(Refusal) as refused:
        capture(program, **options)
    return [finding.code for finding in refused.value.findings]


def in_tokyo(name: str = "p") -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=aws.Provider(name, region="ap-northeast-1"))


def test_a_plan_holds_resources_dependencies_and_outputs() -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=in_tokyo())
        aws.ec2.Subnet("sub", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=in_tokyo("q"))
        pulumi.export("vpc", vpc.id)
        pulumi.export("range", vpc.cidr_block)

    plan = capture(program)
    subnet = next(plan.of_type("aws:ec2/subnet:Subnet"))
    assert subnet.urn == "urn:pulumi:dev::project::aws:ec2/subnet:Subnet::sub"
    assert [urn.rsplit("::", 1)[1] for urn in subnet.dependencies] == ["net"]
    assert plan.outputs == {"vpc": UNKNOWN, "range": "10.0.0.0/16"}


def test_two_resources_of_one_name_are_refused() -> None:
    def program() -> None:
        for _ in range(2):
            random.RandomId("same", byte_length=4)

    assert codes(program) == ["plan.duplicate-urn"]


def test_an_input_that_a_provider_would_refuse_is_refused() -> None:
    def program() -> None:
        aws.ec2.Vpc("net", cidr_block="10.0.0.1/16", opts=in_tokyo())

    assert codes(program) == ["plan.refused-input"]


def test_a_secret_is_marked_and_masked() -> None:
    plan = capture(lambda: random.RandomId("x", byte_length=4, keepers={"k": pulumi.Output.secret("planted")}))
    given = next(plan.of_type("random:index/randomId:RandomId")).inputs["keepers"]
    assert is_secret(given) or is_secret(given["k"])
    assert "planted" not in str(plan.to_json())
    assert masked({"a": [UNKNOWN]}) == {"a": ["[unknown]"]}


def test_a_foreign_programs_default_provider_takes_its_region_from_the_stack() -> None:
    def program() -> None:
        found = aws.ssm.get_parameter_output(
            name="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
        )
        pulumi.export("image", found.insecure_value)

    plan = capture(program, config={"aws:region": "ap-southeast-1"})
    assert plan.outputs["image"].startswith("ami-")


def test_a_provider_of_an_unknown_region_is_refused_by_its_code() -> None:
    def program() -> None:
        aws.ec2.Vpc(
            "net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(provider=aws.Provider("p", region="mars-1"))
        )

    assert codes(program) == ["plan.provider-refused"]


def test_a_type_that_is_not_simulated_is_taken_as_it_is_and_noted() -> None:
    plan = capture(lambda: aws.sqs.Queue("q", opts=in_tokyo()))
    assert [note.code for note in plan.notes] == ["plan.unchecked-type"]


def test_a_plan_after_a_failed_one_is_not_touched_by_it() -> None:
    def broken() -> None:
        aws.ec2.Vpc("net", cidr_block="10.0.0.1/16", opts=in_tokyo())

    codes(broken)
    assert [each.name for each in capture(lambda: random.RandomId("y", byte_length=4)).resources] == ["y"]


def project(folder: Path, stack_file: str, pulumi_yaml: str = "name: p\nruntime: python\n") -> Path:
    (folder / "Pulumi.yaml").write_text(pulumi_yaml)
    (folder / "Pulumi.dev.yaml").write_text(stack_file)
    (folder / "__main__.py").write_text("import pulumi\npulumi.export('a', pulumi.Config().get('a'))\n")
    return folder


def stack_codes(folder: Path, stack: str = "dev") -> list[str]:
    with pytest.raises(Refusal) as refused:
        capture_stack(folder, stack)
    return [finding.code for finding in refused.value.findings]


def test_a_projects_stack_is_planned_with_its_configuration(tmp_path: Path) -> None:
    plan: Plan = capture_stack(project(tmp_path, "config:\n  p:a: hello\n"), "dev")
    assert plan.outputs == {"a": "hello"}


def test_an_encrypted_value_stays_encrypted_and_secret(tmp_path: Path) -> None:
    (project(tmp_path, "config:\n  p:a:\n    secure: v1:xyz\n") / "__main__.py").write_text(
        "import pulumi\npulumi.export('a', pulumi.Config().require_secret('a'))\n"
    )
    assert capture_stack(tmp_path, "dev").to_json()["outputs"] == {"a": "[secret]"}


def test_a_missing_project_stack_or_program_is_refused_by_its_code(tmp_path: Path) -> None:
    assert stack_codes(tmp_path) == ["project.not-found"]
    project(tmp_path, "config: {}\n")
    assert stack_codes(tmp_path, "../dev") == ["stack.unknown"]
    (tmp_path / "__main__.py").unlink()
    assert stack_codes(tmp_path) == ["project.no-program"]


COMPONENT_IN_THE_MAIN_FILE = """
from __future__ import annotations
import pulumi
from pulumi import Output as Made
class Mine(pulumi.ComponentResource):
    told: {annotation}
    def __init__(self, name: str) -> None:
        super().__init__("mine:index:Mine", name)
        self.told = pulumi.Output.from_input(name)
        self.register_outputs({{"told": self.told}})
pulumi.export("told", Mine("a").told)
"""


def test_an_annotation_in_the_main_file_is_read_where_the_engine_reads_it(tmp_path: Path) -> None:
    main = project(tmp_path, "config: {}\n") / "__main__.py"
    main.write_text(COMPONENT_IN_THE_MAIN_FILE.format(annotation="pulumi.Output[str]"))
    assert capture_stack(tmp_path, "dev").outputs == {"told": "a"}
    # `up` ends with a NameError here: the program's own names are gone by then, and only those of Pulumi's are left.
    main.write_text(COMPONENT_IN_THE_MAIN_FILE.format(annotation="Made[str]"))
    assert stack_codes(tmp_path) == ["project.annotation"]


def test_a_name_that_a_program_does_not_have_is_an_error_of_its_own(tmp_path: Path) -> None:
    (project(tmp_path, "config: {}\n") / "__main__.py").write_text("never_made\n")
    with pytest.raises(NameError, match="never_made"):
        capture_stack(tmp_path, "dev")


def test_a_stack_needs_no_file_where_the_project_has_values_for_every_stack(tmp_path: Path) -> None:
    project(tmp_path, "config: {p:a: of dev}\n", "name: p\nruntime: python\nconfig: {a: {default: of all}}\n")
    plan = capture_stack(tmp_path, "fresh")
    assert plan.outputs == {"a": "of all"}
    assert [each.code for each in plan.notes] == ["stack.no-file"]


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        ("require('b')", "stack.no-value", "pulumi config set p:b VALUE -s dev"),
        ("require_secret('b')", "stack.no-value", "pulumi config set --secret p:b VALUE -s dev"),
        ("require_int('a')", "stack.bad-value", "p:a is not the int"),
        ("require_object('a')", "stack.bad-value", "p:a is not the"),
    ],
)
def test_a_value_that_a_program_asks_for_and_the_stack_has_not_is_refused(
    tmp_path: Path, asked: str, code: str, told: str
) -> None:
    (project(tmp_path, "config: {p:a: hidden words}\n") / "__main__.py").write_text(
        f"import pulumi\npulumi.Config().{asked}\n"
    )
    with pytest.raises(Refusal) as refused:
        capture_stack(tmp_path, "dev")
    assert [each.code for each in refused.value.findings] == [code]
    assert told in str(refused.value)
    assert "hidden words" not in str(refused.value)


def test_a_mistyped_stack_is_told_with_what_its_program_misses(tmp_path: Path) -> None:
    (project(tmp_path, "config: {p:a: here}\n") / "__main__.py").write_text(
        "import pulumi\npulumi.Config().require('a')\n"
    )
    with pytest.raises(Refusal, match="did you mean dev"):
        capture_stack(tmp_path, "deb")


def test_of_a_stack_that_is_not_there_it_is_not_told_first_what_it_lacks(tmp_path: Path) -> None:
    folder = project(tmp_path, "config: {p:a: here}\n")
    (folder / "__main__.py").write_text("from pulumi_llm import stack\n\nstack.run()\n")
    assert stack_codes(tmp_path, "WRONG") == ["stack.unknown"]


@pytest.mark.parametrize(
    "content",
    [
        "config: [",
        "config: 3\n",
        "- a\n",
        "config: &itself {p:a: *itself}\n",
        "config: {p:a: 1, p:a: 2}\n",
        "config: " + "[" * 1000,
    ],
    ids=["broken", "number", "list", "holds-itself", "key-twice", "deep"],
)
def test_a_stack_file_that_is_no_stack_file_is_refused(tmp_path: Path, content: str) -> None:
    assert stack_codes(project(tmp_path, content))[0] in ("project.not-yaml", "stack.unreadable")
