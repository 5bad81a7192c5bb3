"""The environment that a project's program is run in to be planned: a few variables by name, and an empty home.

A program that is planned may be a pull request's, and a plan needs no credentials: so it finds none, neither in the
variables of the caller nor in the files below the caller's home. This keeps accidents and curious programs away from
them. It is no sandbox: a program runs as the user who calls, and may open any file that this user may.
"""

from __future__ import annotations

import contextlib
import os
import site
import tempfile
from collections.abc import Iterator, Mapping

from pulumi_llm import clouds
from pulumi_llm._provider_facts import schema

KEPT = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "PYDANTIC_DISABLE_PLUGINS"),
        *(
            "PULUMI_LLM_CATALOG",
            "PULUMI_LLM_MODELS",
            "PULUMI_LLM_TEMPLATES",
            "PULUMI_LLM_POLICY",
            "PULUMI_LLM_SIM_FAULTS",
        ),
        *(name for folder in clouds.folders().values() for name in folder.region_variables),
    }
)
"""The variables that a program is given: how to run Python, this library's own, and a cloud's default region."""


def of_program(home: str, caller: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a program whose home is ``home``, made of the caller's (default: this process's)."""
    have = os.environ if caller is None else caller
    found = {name: value for name, value in have.items() if name in KEPT}
    # Where the library keeps what it made of the SDKs, which hold nothing of the caller's.
    found["PYTHONUSERBASE"] = site.getuserbase()  # packages that are installed for a user lie below the real home
    return {**found, "HOME": home, "USERPROFILE": home, "PULUMI_LLM_CACHE_DIR": str(schema.cache_directory())}


@contextlib.contextmanager
def bare() -> Iterator[dict[str, str]]:
    """Meanwhile this process has the variables of a program, and an empty home. Gives them; they are put back."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="pulumi-llm-home-") as home:
        within = of_program(home)
        _become(within)
        try:
            yield within
        finally:
            _become(before)


def _become(wanted: Mapping[str, str]) -> None:
    # One by one: to clear all would leave other threads without any in between.
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
