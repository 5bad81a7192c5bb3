"""What is to be said of a vector store before it is made: weaknesses that its makers have not mended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.spec import VectorsSpec

VECTORS = "vectors"
"""The argument that asks for a vector store."""


def warnings_of(vectors: VectorsSpec) -> Iterator[Finding]:
    """Warnings, which refuse nothing: ``vectors.known-weakness``."""
    from pulumi_llm.roles import registry  # a question about a model and a GPU asks for no role

    role = registry.of_argument(VECTORS, vectors.engine).manifest
    others = [name for name, each in registry.answering(VECTORS).items() if not each.manifest.weak]
    for weakness in role.weak:
        if weakness.mended is None:
            yield Finding(
                "vectors.known-weakness",
                _(
                    "{name} is published of {title} {version}, and no release mends it: here only who has the key "
                    "comes as far as {title}",
                    name=weakness.name,
                    title=role.title,
                    version=role.version,
                ),
                _(
                    "give nobody the key whom you would not let onto that machine; or engine: {names}",
                    names=either(others),
                ),
                severity="warning",
            )
