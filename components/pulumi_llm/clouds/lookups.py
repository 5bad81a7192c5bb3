"""Look-ups at a cloud, and the refusals of those that fail: the engine would print a traceback for each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from typing import Any, TypeVar

import pulumi

from pulumi_llm import catalog
from pulumi_llm._refusal import ending
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

T = TypeVar("T")

ABSENT = re.compile(r"ParameterNotFound|InvalidImageId\.NotFound|was not found, notFound|no results were found")
CREDENTIALS = re.compile(
    r"AuthFailure|InvalidAccessKey|SignatureDoesNotMatch|UnrecognizedClient|InvalidClientTokenId|InvalidSecurityToken"
    r"|MissingSecurityToken|Expired|credential|secret_id|access_key|Invalid API (token|key)",
    re.IGNORECASE,
)
DENIED = re.compile(r"Forbidden|AccessDenied|UnauthorizedOperation|not authori[sz]ed", re.IGNORECASE)
"""What the clouds and their providers say: the pages of error codes of ECS, CVM (API 3.0) and SSM, 2026-11-28."""
LONGEST = 600


def image_of(
    found: pulumi.Output[T], *, cloud: str, region: str, instance_type: str, asked: str, action: str
) -> pulumi.Output[T]:
    """``found``, the answer to a look-up of images, or the refusal for what the cloud or its provider said instead.

    ``asked`` is what was looked up, ``action`` the API action that it takes. The program then ends with
    ``cloud.no-image``, ``cloud.lookup-denied``, ``cloud.no-credentials`` or ``cloud.lookup-failed``.
    """

    async def told() -> tuple[Any, ...]:
        try:
            return (
                await found.resources(),
                await found.future(with_unknowns=True),
                await found.is_known(),
                await found.is_secret(),
            )
        except pulumi.RunError:
            raise
        except Exception as error:
            raise failed(cloud, region, instance_type, asked, action, str(error)) from None

    # Whatever reads the new output learns of the failure; the engine's SDK would tell it once more, as a traceback.
    if untrack := getattr(found, "_untrack", None):
        untrack()
    answer = asyncio.ensure_future(told())
    return pulumi.Output(_Part(answer, 0), _Part(answer, 1), _Part(answer, 2), _Part(answer, 3))


class _Part:
    """One part of an output's data. Unlike a coroutine, it may be left alone once another part has failed."""

    def __init__(self, data: asyncio.Future[tuple[Any, ...]], number: int) -> None:
        self.data = data
        self.number = number

    def __await__(self) -> Generator[Any, None, Any]:
        data = yield from self.data.__await__()
        return data[self.number]


def no_image(cloud: str, instance_type: str, region: str, asked: str) -> Refusal:
    """The refusal for a look-up that the cloud answers with no image at all."""
    # Found out when the cloud answers, outside of any component's constructor.
    return ending(
        [
            Finding(
                "cloud.no-image",
                _(
                    "{title} lists no image that matches {request} for {instance_type} in {region}",
                    title=catalog.load().cloud(cloud).title,
                    request=asked,
                    instance_type=instance_type,
                    region=region,
                ),
                _("another region or instance type, or an image of your own with image_id"),
            )
        ]
    )


def failed(cloud: str, region: str, instance_type: str, asked: str, action: str, words: str) -> Refusal:
    """The refusal for a look-up that failed with these ``words`` of the cloud or its provider."""
    if ABSENT.search(words):
        return no_image(cloud, instance_type, region, asked)
    title, said = catalog.load().cloud(cloud).title, _first(words)
    if DENIED.search(words):
        code, message = "cloud.lookup-denied", _("{title} does not let these credentials look up an image", title=title)
        hint = _("let their policy allow {action}, or name an image with image_id", action=action)
    elif CREDENTIALS.search(words):
        code, message = "cloud.no-credentials", _("{title} was given no credentials that it accepts", title=title)
        hint = _(
            "set them in the environment or a profile, as docs/real-account.md says, and see that they are in date"
        )
    else:
        code, message = "cloud.lookup-failed", _("{title} did not answer which image to start from", title=title)
        hint = _("try again; or name an image with image_id")
    message = _("{message} ({region}): {words}", message=message, region=region, words=said)
    return ending([Finding(code, message, hint)])


def _first(words: str) -> str:
    """What was said, on one line and not too long: providers add the request and where in their source it was."""
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
