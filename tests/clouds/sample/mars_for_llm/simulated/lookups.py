"""What the sample cloud answers."""

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.lookups import Answer
from pulumi_llm._simcloud.simulator import Simulator


def newest_image(args: Props, simulator: Simulator) -> Props:
    return {"id": f"{args['system']}-of-{simulator.region}"}


ANSWERS: dict[str, Answer] = {"mars:index/newestImage:newestImage": newest_image}
