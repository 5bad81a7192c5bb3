"""AWS's wire: moto answers for EC2, STS and Route 53, over the images, offers and refusals of the simulated AWS."""

from . import near  # it registers its actions
from .face import AwsFace
from .protocol import PROTOCOL

FACE = AwsFace

__all__ = ["FACE", "PROTOCOL", "near"]
