"""Hosts that the guide names and that are no cloud here: why not, and what would do."""

from __future__ import annotations

from pulumi_llm._texts import _

CODE = "cloud.not-built"


def reason(name: str) -> tuple[str, str] | None:
    """Why there is no cloud of that name, and what would do. None for a name that nobody here has thought of."""
    proxies = _("a cloud that has machines for a proxy: see docs/systems.md")
    by_name = {
        "render": (
            _(
                "{value!r} is not built: it runs containers from a registry, and no image of the gateway is published; "
                "with a disk it is down for moments at each change, which would cut streams off",
                value=name,
            ),
            _("{proxies}; or a Cloudflare Worker: docs/worker.md", proxies=proxies),
        ),
        "vercel": (
            _(
                "{value!r} is not built: its functions share no memory and no store in which limits could be kept "
                "exactly",
                value=name,
            ),
            _("a Cloudflare Worker, whose limits are exact: docs/worker.md"),
        ),
        "cloudflare": (
            _("{value!r} has no machines: it is a proxy without one", value=name),
            _("the component WorkerProxy: docs/worker.md"),
        ),
    }
    return by_name.get(name.lower())
