"""What is bid for a spot machine of Tencent Cloud, which asks for a highest price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._refusal import ending
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import MachineRequest, Scope


def highest_bid(cloud: str, request: MachineRequest, scope: Scope) -> str:
    """The on-demand price in CNY per hour: what is paid is the market's price, up to this.

    Raises Refusal ``cloud.spot-price-unknown`` where the catalogue has none.
    """
    data = catalog.load()
    price = data.price(cloud, request.instance_type, scope.region)
    if price is None:
        raise ending(
            [
                Finding(
                    "cloud.spot-price-unknown",
                    _(
                        "a spot machine on Tencent Cloud needs a highest price; the catalogue has none for "
                        "{instance_type} in {region}",
                        instance_type=request.instance_type,
                        region=scope.region,
                    ),
                    _("spot: false, or a type whose price is known"),
                )
            ]
        )
    return f"{data.exchange_rate.convert(price.amount, price.currency, 'CNY'):.2f}"
