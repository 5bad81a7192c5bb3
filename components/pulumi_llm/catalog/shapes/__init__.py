"""How large a model is, and what it keeps for each token, from its config.json alone: arithmetic per architecture.

Held against two oracles that nobody here wrote: transformers 5.19.0, which builds each class without weights, and the
cache specifications of vLLM 0.32.0. What is not understood is refused (UnknownShapeError), never guessed.
"""

from pulumi_llm.catalog.shapes.settings import Settings, UnknownShapeError
from pulumi_llm.catalog.shapes.shape import Shape, shape_of

__all__ = ["Settings", "Shape", "UnknownShapeError", "shape_of"]
