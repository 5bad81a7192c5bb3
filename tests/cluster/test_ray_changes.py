"""What a change of a fleet on KubeRay does to its service."""

from __future__ import annotations

from typing import Any

from tests.cluster.fleets import WIDE, named, planned


def engines(**changed: Any) -> Any:
    return named(planned({**WIDE, **changed}), "x-engines")


def test_another_number_of_copies_is_a_service_made_anew_as_kuberay_would_not_see_it() -> None:
    before = engines()
    more = {**WIDE["models"]["large"], "copies": 2}
    after = engines(models={"large": more}, nodes={**WIDE["nodes"], "count": 4})
    assert after.inputs["spec"]["rayClusterConfig"] != before.inputs["spec"]["rayClusterConfig"]
    assert after.replace_on_changes == ("spec.rayClusterConfig",)


def test_what_ray_serve_is_told_is_changed_while_it_serves() -> None:
    before = engines()
    after = engines(models={"large": {**WIDE["models"]["large"], "max_num_seqs": 7}})
    assert after.inputs["spec"]["serveConfigV2"] != before.inputs["spec"]["serveConfigV2"]
    assert after.inputs["spec"]["rayClusterConfig"] == before.inputs["spec"]["rayClusterConfig"]
