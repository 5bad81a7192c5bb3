"""Google Cloud: what its look-ups answer."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.lookups import Answer
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Simulator

from .common import API


def get_image(args: Props, simulator: Simulator) -> Props:
    """The newest image of a family, or the one of a name. Raises CloudError where there is none."""
    project, family, name = (args.get(key) for key in ("project", "family", "name"))
    if not family and not name:
        raise CloudError("one of name, family or filters must be set")
    found = [
        each
        for each in images.public("gcp", "", simulator.faults)
        if each.owner == project and (each.family == family if family else each.name == name)
    ]
    if not found:
        kind = f"family/{family}" if family else name
        what = f"projects/{project}/global/images/{kind}"
        raise CloudError(
            f"Error retrieving image information: googleapi: Error 404: The resource '{what}' was not found, notFound"
        )
    image = max(found, key=lambda each: each.name)
    return {
        **args,
        "id": image.id,
        "name": image.name,
        "family": image.family,
        "project": image.owner,
        "selfLink": f"{API}{image.id}",
        "description": image.os_name,
        "creationTimestamp": image.created,
        "diskSizeGb": image.size_gib,
        "archiveSizeBytes": 0,
        "imageId": "0",
        "imageEncryptionKeySha256": "",
        "labelFingerprint": "",
        "labels": {},
        "licenses": [],
        "sourceDisk": "",
        "sourceDiskEncryptionKeySha256": "",
        "sourceDiskId": "",
        "sourceImageId": "",
        "status": "READY",
    }


ANSWERS: dict[str, Answer] = {"gcp:compute/getImage:getImage": get_image}
