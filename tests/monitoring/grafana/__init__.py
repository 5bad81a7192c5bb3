"""Grafana's own front end for tests: its types, its charts, a page of both.  python -m tests.monitoring.grafana

Grafana as a server is in none of the registries that these tests use. What it publishes on npm is the part that a board
is read and drawn by: the types of a board's JSON, fields and units, the panel's frame, the chart of a time series.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", HERE.parents[2] / ".tools"))
PACKAGES: dict[str, str] = json.loads((HERE / "packages.json").read_text())["npm"]
HOME = TOOLS / "grafana" / "-".join(PACKAGES.values())
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--allow-file-access-from-files", "--disable-background-networking", "--virtual-time-budget=10000", "--lang=en",
)  # fmt: skip
TYPES = """import type { Dashboard, Panel, RowPanel, VariableModel } from
  '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type { FieldConfig, Options } from
  '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
// A board is JSON: a value of an enumeration is the text that it stands for.
type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Fields = NonNullable<Panel['fieldConfig']>['defaults'];
type Query = { refId: string; datasource: { type: string; uid: string }; expr: string; legendFormat: string };
type Series = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: 'timeseries'; options: Options; targets: Query[];
  fieldConfig: { defaults: Omit<Fields, 'custom'> & { custom: FieldConfig }; overrides: [] } };
type Templates = { list: Plain<VariableModel>[] };
export const board: Plain<Omit<Dashboard, 'panels' | 'templating'>> & { templating: Templates } = BOARD;
export const panels: Plain<Series | RowPanel>[] = PANELS;
"""


def install() -> None:
    """Fetch the packages, once for each set of versions, without running what they bring."""
    if (HOME / ".complete").exists():
        return
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "package.json").write_text('{"private": true}')
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    argv = ["npm", "install", "--prefix", str(HOME), "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run([*argv, "--legacy-peer-deps", *wanted], check=True)
    (HOME / ".complete").touch()


def lacking() -> str | None:
    """Why nothing can be drawn here; None where it can."""
    if not (HOME / ".complete").exists():
        return "Grafana's packages are not there: python -m tests.monitoring.grafana"
    return None if chromium() else "there is no Chromium on PATH (Debian: apt-get install chromium)"


def chromium() -> str | None:
    """The browser of the system, if there is one."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def refused(board: dict[str, Any], folder: Path) -> str:
    """What TypeScript says of a board against Grafana's own types; empty where it is one."""
    own = {key: each for key, each in board.items() if key not in ("panels", "__inputs")}
    text = TYPES.replace("BOARD", json.dumps(own, ensure_ascii=False)).replace(
        "PANELS", json.dumps(board["panels"], ensure_ascii=False)
    )
    (folder / "board.ts").write_text(text)
    (folder / "node_modules").symlink_to(HOME / "node_modules")
    argv = [str(HOME / "node_modules/.bin/tsc"), "--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"]
    argv += ["--moduleResolution", "bundler", "--target", "es2022", "board.ts"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    (folder / "node_modules").unlink()
    return done.stdout + done.stderr


def bundle() -> Path:
    """The page's program with all of Grafana's that it needs, made once."""
    out, page = HOME / "page.js", HERE / "page.jsx"
    if not out.exists() or out.stat().st_mtime < page.stat().st_mtime:
        shutil.copyfile(page, HOME / "page.jsx")
        argv = [str(HOME / "node_modules/.bin/esbuild"), "page.jsx", "--bundle", f"--outfile={out}", "--jsx=automatic"]
        argv += [f"--loader:{each}=dataurl" for each in (".svg", ".woff2", ".ttf")]
        argv += ['--define:process.env.NODE_ENV="production"', "--log-level=error"]
        subprocess.run(argv, cwd=HOME, check=True)
    return out


def page(board: dict[str, Any], answers: dict[int, Sequence[Any]], span: tuple[float, float], file: Path) -> None:
    """A page that draws the board. ``answers``: by panel, what Prometheus said to each of its queries."""
    program = bundle()
    given = {"board": board, "answers": answers, "from": span[0], "to": span[1]}
    text = json.dumps(given, ensure_ascii=False).replace("<", "\\u003c")
    style = program.with_suffix(".css")
    file.write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{style}"><body style="margin:0">'
        f'<div id="root"></div><script>window.process={{env:{{}}}};window.given={text};</script>'
        f'<script src="{program}"></script>',
        encoding="utf-8",
    )


def browse(file: Path, *options: str) -> str:
    """What the browser says of a page."""
    browser = chromium()
    assert browser is not None
    argv = [browser, *OPTIONS, f"--user-data-dir={file.parent / 'user'}", *options, file.as_uri()]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
