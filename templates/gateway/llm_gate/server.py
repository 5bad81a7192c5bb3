"""The HTTP side: the key first, then path, body, model, limits, content; nothing goes out before all of it holds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from functools import partial

from llm_gate import errors, gauges, money, monitoring, relay, requests, upstream
from llm_gate.attempt import Exchange, Patience, Tools
from llm_gate.content_in_force import ContentInForce
from llm_gate.counting import Counting, posting
from llm_gate.door import Door
from llm_gate.errors import Refused, bad, unauthorized
from llm_gate.inspection import Blocked, Inspection, refuse_unreadable
from llm_gate.listening import Server
from llm_gate.load import PATH as LOAD
from llm_gate.messages import Answer, Request, json_answer
from llm_gate.meter import Ask, Ticket
from llm_gate.metrics import Metrics
from llm_gate.money import dearer_at_most
from llm_gate.paths import Paths
from llm_gate.policy import Policy, Reread, Rules
from llm_gate.progress import Progress
from llm_gate.replicas import Replicas
from llm_gate.requests import Call
from llm_gate.routes import MODELS, Routes, Target, asked
from llm_gate.serving import Handler
from llm_gate.starting import Starting
from llm_gate.store import Place, Store
from llm_gate.traces import Traces
from llm_gate.turns import PATH as TURNS
from llm_gate.turns import Turns
from llm_gate.upstream import Pools, Secrets
from llm_gate.usage import Count
from llm_gate.use import Use

LONGEST_BODY = 8 * 2**20
"""Bytes of a request; Caddy's limit is the same."""
BODY_SECONDS = 60.0
"""Seconds for a request's body to come."""
LAST_WORDS = 40.0
"""Seconds that answers under way have after SIGTERM; the unit's TimeoutStopSec is longer."""
PARTING = 5.0
"""Seconds that an idle connection stays open after SIGTERM: Caddy gives up its own after one."""
WRITTEN_WITHIN = 0.02
"""Seconds after which a settlement is on the disk, if no admission takes it there before."""
MOST_HELD = 256 * 2**20
"""Bytes of all requests that are under way, together: a small proxy has 2 GiB of memory."""
TEXT = "text/plain; version=0.0.4"
"""Prometheus' text format."""
CLIENT = "X-Llm-Client"
"""Where Caddy writes the caller's address; what a caller writes there itself is overwritten."""


class Gateway:
    """Everything that one gateway process holds."""

    def __init__(self, paths: Paths, patience: Patience | None = None) -> None:
        self.store = Store(paths.state / "ledger.sqlite")
        self.policy = Policy(
            policy=Reread(paths.settings / "policy.json"),
            hashes=Reread(paths.secrets / "gateway-keys.json"),
            own=Reread(paths.state / "own-keys.json"),
        )
        self.routes = Routes()
        self.metrics = Metrics()
        self._machine = monitoring.Machine(leave=paths.leave)
        self._complaints: dict[str, float] = {}
        self._writing: asyncio.TimerHandle | None = None
        self._door = Door()
        self.held = 0
        """Bytes of the bodies of all requests that are under way."""
        self.pools = Pools(paths.secrets / "upstream-ca.pem")
        secrets = Secrets(paths.secrets / "upstream.env")
        self.content = ContentInForce(paths.settings, secrets)
        post = posting(self.pools)
        self.counting = Counting(post, secrets)
        self.traces = Traces(lambda: self.policy.policy.content.get("traces"), post, self.metrics, self._complain)
        self.replicas = Replicas(self.pools.of, secrets.get)
        self.turns = Turns(paths.secrets / "turns-gate.key", self.metrics)
        self.starting = Starting(paths.wake, Reread(paths.woken), self.routes, self.replicas, self._complain)
        shared = (self.replicas, self.turns, self.starting)
        self._tools = Tools(self.routes, secrets, self.pools, self.metrics, patience or Patience(), *shared)
        self._resting = Reread(paths.resting)
        self._table = Reread(paths.settings / "routes.json")
        self.use = Use(Reread(paths.drain), Reread(paths.status))

    async def close(self) -> None:
        """Let go of connections and files."""
        await self.replicas.close()
        await self.turns.close()
        self.pools.close()
        await self.content.close()
        if self._writing is not None:
            self._writing.cancel()
        self.store.close()

    def _complain(self, *lines: str) -> None:
        """Say something that may be true of each of a thousand requests, once a minute."""
        now = time.monotonic()
        for each in lines:
            if now - self._complaints.get(each, -1e9) >= 60:
                self._complaints[each] = now
                sys.stderr.write(f"{each}\n")

    async def handle(self, request: Request) -> Answer | None:
        """Answer one request."""
        form = errors.form(request.raw_path, anthropic="anthropic-version" in request.headers)
        name = ""
        try:
            rules = self._who(request)
            name = rules.name
            response = await self._serve(request, rules)
        except Refused as refused:
            self.metrics.add("refused_total", key=name, code=refused.counted)
            response = _error(refused, form)
            await self._at_the_door(request, name)
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception as error:
            sys.stderr.write(errors.log_line(error))
            response = _error(errors.internal(), form)
        finally:
            self.held -= request.held
        return response

    async def _at_the_door(self, request: Request, key: str) -> None:
        """Let whoever is refused very often wait, without what it sends."""
        if wait := self._door.wait(key):
            request.drop()
            self.held -= request.held
            request.held = 0
            request.connection.transport.pause_reading()
            await asyncio.sleep(wait)
            if request.connection.gone():
                raise ConnectionResetError("the caller has gone")

    async def measure(self, request: Request) -> Answer:
        """Metrics and health, on a port of their own that Caddy knows nothing of."""
        self._fresh_routes()
        if request.raw_path == "/health":
            return json_answer({"ok": True, "routes": len(self.routes.table)})
        if request.raw_path == LOAD:
            return json_answer(self.replicas.load.document(self.routes.following()))
        if request.raw_path == "/use":
            return json_answer({**self.use.document(self.routes.number), "upstreams": +self.replicas.active})
        if request.raw_path.partition("?")[0] == TURNS:
            return await self.turns.answer(request)
        if request.raw_path != "/metrics":
            return Answer(status=404)
        return Answer(self.metrics.render(self._gauges()).encode(), kind=TEXT)

    def _gauges(self) -> monitoring.Gauges:
        return gauges.now(self.store, self.content, self.routes, self.policy, self.replicas) | self.turns.gauges()

    async def _monitored(self, rules: Rules) -> Answer:
        """The numbers of the gateway, the machine and the engine, for a key that names the path."""
        if monitoring.PATH not in rules.endpoints:
            raise Refused(404, "invalid_request_error", "not_found", "there is no such endpoint here")
        self._fresh_routes()
        port = self.policy.policy.content.get("port")
        rows = self._gauges() | await self._machine.gauges(port if isinstance(port, int) else None)
        engines = monitoring.engines(self.routes.upstreams())
        texts = await asyncio.gather(*map(monitoring.numbers_of, engines))
        for engine, text in zip(engines, texts, strict=True):
            rows["llm_gateway_engine_up", monitoring.labels_of(engine)] = float(text is not None)
        told = monitoring.merged(text for text in texts if text is not None)
        return Answer((self.metrics.render(rows) + told).encode(), kind=TEXT)

    def _who(self, request: Request) -> Rules:
        """The rules of the caller's key. One key, in one place: two that differ are nobody's."""
        given = {each.strip() for each in request.headers.getall("x-api-key", ())}
        for header in request.headers.getall("Authorization", ()):
            scheme, _, key = header.partition(" ")
            if scheme.lower() != "bearer":
                raise unauthorized()
            given.add(key.strip())
        if len(given) != 1:
            raise unauthorized()
        key = given.pop()
        rules = self.policy.find(key) if key and len(key) < 500 else None
        if rules is None:
            raise unauthorized()
        if rules.cidrs and not rules.allows_address(request.headers.get(CLIENT, request.remote or "")):
            raise Refused(403, "permission_error", "address_not_allowed", "this key may not be used from here")
        return rules

    async def _serve(self, request: Request, rules: Rules) -> Answer | None:
        if request.raw_path == monitoring.PATH and request.method == "GET":
            return await self._monitored(rules)
        found = asked(request.method, request.raw_path)
        if found is None:
            raise Refused(404, "invalid_request_error", "not_found", "there is no such endpoint here")
        path, one = found
        if not rules.allows_endpoint(path):
            raise Refused(403, "permission_error", "endpoint_not_allowed", f"this key may not use {path}")
        self._fresh_routes()
        if path == MODELS:
            return json_answer(self.routes.models(rules.allows_model, one), headers=self.use.told())
        self.use.refuse_while_stopping()
        if self.content.missing:
            raise Refused(503, "api_error", "content_check_unavailable", self.content.missing)
        try:
            place = self.store.enter(rules)
        except sqlite3.Error as error:
            raise self._unwritable(error) from None
        table = self.routes.number
        self.use.enter(rules.name, table)
        try:
            return await self._entered(request, path, rules, place)
        except Refused:
            place.leave(request.size)
            raise
        finally:
            place.leave()
            self.use.leave(rules.name, table)

    async def _entered(self, request: Request, path: str, rules: Rules, place: Place) -> Answer | None:
        raw = await self._body(request, form=path in requests.FORMS)
        body = requests.read(path, raw, request.headers.get("Content-Type", ""))
        model = requests.model_of(body)
        route = self.routes.table.get(model)
        if route is None or not rules.allows_model(model):
            raise requests.refuse_model(model, rules.allows_model(model))
        targets = self.routes.order(route, path, rules.name)
        if not targets:
            self.use.refuse_while_changed(self.routes.resting)
            raise bad(f"the model {model!r} is not served on {path}", "endpoint_not_served")
        kinds = {each.upstream.kind for each in targets}
        betas = request.headers.getall("anthropic-beta", ())
        windows = [each.window for each in targets]
        window = max(filter(None, windows)) if all(windows) else None
        most = route.most_out
        call = requests.check(path, body, rules, kinds=kinds, most_out=most, window=window, betas=betas)
        if rules.daily_budget_usd is not None or rules.monthly_budget_usd is not None:
            targets = [each for each in targets if money.known(each, call)]
            if not targets:
                raise Refused(
                    403,
                    "permission_error",
                    "price_unknown",
                    f"this key has a budget in USD, and {model!r} has no price here for what is asked (text, or sound)",
                )
        targets = [each for each in targets if upstream.able(each, call)]
        if not targets:
            raise bad(
                "response_format, n above 1 and log probabilities are passed over in silence by this model's vendor "
                "on this endpoint, so they are refused here; use /v1/messages",
                "field_not_served",
            )
        if self.content.checker is not None:
            refuse_unreadable(self.content.checker, body, key=rules.name, model=model)
        return await self._admitted(request, call, rules, targets, place)

    async def _body(self, request: Request, *, form: bool) -> bytes:
        """The request's body, plain JSON (or a form) and not too long."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "invalid_request_error", "unsupported_encoding", "send the body uncompressed")
        if not form and request.content_type not in ("application/json", "application/octet-stream"):
            raise Refused(415, "invalid_request_error", "unsupported_media_type", "send Content-Type: application/json")
        self._hold(request)
        if not request.complete:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    while not request.complete:
                        await request.more()
                        self._hold(request)
            except TimeoutError:
                message = "the body did not come in time"
                raise Refused(408, "invalid_request_error", "request_timeout", message) from None
        return request.body()

    def _hold(self, request: Request) -> None:
        """Count what is here of a body. Raises `Refused` where it is too much, or where no more will come."""
        if max(request.size, request.length or 0) > LONGEST_BODY:
            message = f"a request may have {LONGEST_BODY} bytes (8 MiB)"
            raise Refused(413, "invalid_request_error", "request_too_large", message)
        self.held += request.size - request.held
        request.held = request.size
        if self.held > MOST_HELD:
            message = "requests that are under way fill the gateway's memory; try again"
            raise Refused(503, "api_error", "gateway_busy", message, {"Retry-After": "5"})
        if request.failed:
            raise Refused(request.failed[0], "invalid_request_error", "bad_request", request.failed[1])

    async def _admitted(
        self, request: Request, call: Call, rules: Rules, targets: list[Target], place: Place
    ) -> Answer | None:
        call = self.counting.bounded(call, targets)
        if rules.counts_tokens:
            call = await self.counting.exact(call, targets, rules.name, self.store.left(rules))
        identity = "req_" + os.urandom(12).hex()
        ask = Ask(
            request=identity,
            endpoint=call.endpoint,
            model=call.model,
            tokens=call.tokens_in + call.tokens_out,
            nanos=max([each.nanos(call.tokens_in, call.tokens_out, dearer_at_most(call, each)) for each in targets]),
            input_sha256=call.digest(),
        )
        try:
            ticket = self.store.admit(rules, ask)
        except sqlite3.Error as error:
            raise self._unwritable(error) from None
        place.leave()
        self.use.admit(rules.name)
        headers = {"x-request-id": identity, **call.notes, **self.store.headers(rules)}
        checker = self.content.checker
        inspection = Inspection(checker, call.endpoint, rules.name, call.model)
        if checker is not None:
            checker.users += 1
        progress = Progress(Count(call.endpoint, call.tokens_in))
        span = self.traces.begin(request.headers)
        reserve = partial(self._reserved_again, rules, ticket, ask)
        ask_twice = rules.ask_twice and upstream.ONCE not in request.headers
        trace = self.traces.goes_on(request.headers, span)
        exchange = Exchange(request, call, inspection, progress, headers, rules.name, ask_twice, reserve, trace)
        try:
            await inspection.request(call.body)
            return await relay.answer(self._tools, exchange, targets)
        except Refused as refused:
            progress.status = refused.status
            refused.headers = {**headers, **refused.headers}
            if isinstance(refused, Blocked):
                progress.verdict = inspection.verdict or "blocked"
            raise
        except (asyncio.CancelledError, ConnectionResetError):
            progress.status, progress.verdict = 499, "caller hung up"
            raise
        except BaseException:
            progress.status = 500
            raise
        finally:
            if checker is not None:
                checker.users -= 1
                # With `on_error: block` a moderator that fails looks like a filter gone mad.
                self._complain(*(f"[gate.moderator] {each}" for each in inspection.failures))
            progress.verdict = progress.verdict or inspection.verdict
            self.use.admit(rules.name)
            self._complain(*progress.oddities(call))
            spent = progress.spent(call)
            self.store.settle(ticket, spent)
            if self._writing is None:
                self._writing = asyncio.get_running_loop().call_later(WRITTEN_WITHIN, self._write)
            self.metrics.call(rules.name, call.model, call.endpoint, spent)
            if span is not None:
                self.traces.end(span, identity, rules.name, call, progress, spent)

    def _reserved_again(self, rules: Rules, ticket: Ticket, ask: Ask) -> bool:
        """Reserve for one more upstream what was reserved for one that may have worked; whether there is room."""
        try:
            self.store.extend(rules, ticket, ask)
        except (Refused, sqlite3.Error):
            return False
        return True

    def _unwritable(self, error: sqlite3.Error) -> Refused:
        self._complain(f"[gate.ledger] {type(error).__name__}: nothing is admitted that cannot be written down")
        message = "what keys use cannot be written down at the moment; try again"
        return Refused(503, "api_error", "ledger_unavailable", message, {"Retry-After": "5"})

    def _write(self) -> None:
        """Write the settlements that no admission has written along with its own row."""
        self._writing = None
        try:
            self.store.write()
        except sqlite3.Error as error:
            # The answers are the callers' all the same; until they are written the calls keep what was reserved.
            self._complain(f"[gate.ledger] {type(error).__name__}: calls could not be settled yet")
            self._writing = asyncio.get_running_loop().call_later(1.0, self._write)

    def _fresh_routes(self) -> None:
        if self._resting.fresh():
            self.routes.resting = frozenset(self._resting.content.get("upstreams", ()))
        if self._table.fresh():
            try:
                self.routes.load(self._table.content)
                known = self.routes.upstreams()
                self.replicas.keep(known)
                self.starting.on = self._table.content.get("starts") is True
                self.turns.keep(self._table.content.get("turns"), {each.name: each for each in known})
            except (ValueError, KeyError, TypeError) as error:
                sys.stderr.write(f"[gate.routes] routes.json is not in force: {type(error).__name__}: {error}\n")


def server(handler: Handler) -> Server:
    """A server for a handler, to be given a socket."""
    return Server(handler, unreadable=_unreadable, longest=LONGEST_BODY)


def _unreadable(status: int, message: str) -> Answer:
    return _error(Refused(status, "invalid_request_error", "bad_request", message), "")


def _error(refused: Refused, form: str) -> Answer:
    return json_answer(errors.document(refused, form), status=refused.status, headers=refused.headers)
