// One admitted call, to its end: target after target until one begins to answer, and its settlement in every case.

import * as errors from "./errors.js";
import { Refused } from "./errors.js";
import { Events, objectOf } from "./events.js";
import * as upstream from "./upstream.js";
import { Count, partOfAnswer, taken } from "./usage.js";

// Milliseconds: until an upstream begins to answer, between two pieces, and of a whole call. The last is less than the
// ledger's LEASE, so that a place is never given back while its call goes on.
const PATIENCE = { first_byte: 600_000, between: 120_000, call: 900_000 };
const LONGEST_ANSWER = 16 * 2 ** 20;
const CALLERS_OWN = [400, 413, 415, 422];
const NOT_HERE = [404, 405, 501];
const WAITED = [504, 524]; // a front has given up waiting for a server that may be at work
const STREAMED = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache",
  "X-Accel-Buffering": "no" };
// The header that says what counts beside the answer's own usage, as tokens in and out: see llm_gate/errors.py.
const COUNTED = "x-llm-counted";
const encoder = new TextEncoder();
const sum = (rows, name) => rows.reduce((total, each) => total + each[name], 0);

// An attempt that came to nothing before a byte was sent to the caller. `worked`: it may have worked, and charge.
class Failure extends Error {
  constructor(kind, { status = 502, wait = null, worked = false, told = null } = {}) {
    super(kind);
    Object.assign(this, { kind, status, wait, worked, told });
  }
}
class Gone extends Error {}

export class Relay {
  // `ledger`: the key's Durable Object. `id`: the admitted call's. `gone`: the signal that the caller has hung up.
  constructor({ settings, env, call, rules, ledger, id, ask, notes, gone }) {
    Object.assign(this, { settings, env, call, rules, ledger, id, ask, notes, gone });
    this.patience = { ...PATIENCE, ...settings.patience };
    this.lost = []; // what targets took that have not answered, and may have worked
    this.reservations = 1;
    this.status = 200;
    this.current = null;
    this.stop = new AbortController(); // ends the upstream's work
    this.done = new Promise((resolve) => { this.end = resolve; });
    this.timer = null;
    this.last = setTimeout(() => this.#break("call"), this.patience.call);
    gone?.addEventListener("abort", () => this.#break("gone"));
    if (gone?.aborted) this.#break("gone");
  }

  // The response. Whatever becomes of it, the call is settled, and `done` resolves.
  async answer(targets) {
    try {
      return await this.#asked(targets);
    } catch (error) {
      const told = error instanceof Refused ? error : this.#unexpected(error);
      this.status = told.status;
      await this.#settle();
      throw told;
    }
  }

  async #asked(targets) {
    const failures = [];
    for (const target of targets) {
      if (!(await this.#room())) break;
      this.current = { target, count: new Count(this.call), handed: false, answering: false, ended: false };
      try {
        return await this.#attempt(target);
      } catch (error) {
        if (this.why === "gone") throw new Gone();
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
        if (error.worked) this.#lose();
        this.current = null;
        this.#rearm();
        if (this.why === "call") break;
      }
    }
    const told = failures.filter((each) => each.told).map((each) => each.told);
    if (told.length && told.length === failures.length) throw told[0];
    if (failures.length && failures.every((each) => each.status === 429)) {
      throw errors.upstreamBusy(Math.min(...failures.map((each) => each.wait ?? 5)));
    }
    const status = failures.at(-1)?.status ?? 503;
    const kinds = [...new Set(failures.map((each) => each.kind))].join(", ") || "none is there";
    throw new Refused(status === 429 ? 503 : status, "api_error", "upstream_unavailable",
      `no upstream answered (${kinds})`);
  }

  // The target comes to nothing, and may have worked all the same. A gateway that has asked this one counts it too.
  #lose() {
    this.lost.push({ ...this.#took(), upstream: this.current.target.upstream });
    this.notes[COUNTED] = `${sum(this.lost, "tokensIn")}, ${sum(this.lost, "tokensOut")}`;
  }

  // Whether one more upstream may be asked: for each that may have worked as much is reserved as for one call.
  async #room() {
    while (this.reservations <= this.lost.length) {
      if ((await this.ledger.extend(this.rules, this.id, this.ask)) !== null) return false;
      this.reservations += 1;
    }
    return true;
  }

  async #attempt(target) {
    const { call, current } = this;
    const key = target.secret ? this.env[target.secret.toUpperCase()] : null;
    if (target.secret && !key) throw new Failure("no-key");
    const content = upstream.body(this.settings, target, call);
    current.handed = true;
    let reply;
    try {
      this.#within(this.patience.first_byte);
      reply = await fetch(upstream.url(target, call.endpoint), { method: "POST", body: content, redirect: "manual",
        headers: upstream.headers(target, call, key), signal: this.stop.signal });
    } catch {
      if (this.why) throw new Failure("timeout", { status: 504, worked: true });
      // The platform does not say whether the request had left, so it may have worked.
      throw new Failure("disconnected", { worked: true });
    }
    if (reply.status !== 200) await this.#refusal(reply, key);
    current.answering = true;
    const kind = reply.headers.get("content-type") ?? "";
    return call.stream && kind.startsWith("text/event-stream")
      ? this.#stream(reply, key) : this.#atOnce(reply, key);
  }

  async #refusal(reply, key) {
    const { status } = reply;
    if (![...CALLERS_OWN, ...NOT_HERE, 429].includes(status)) {
      await reply.body?.cancel();
      this.current.handed = WAITED.includes(status);
      throw new Failure(status === 401 ? "key-refused" : `status-${status}`,
        { status: status === 503 ? 503 : 502, worked: WAITED.includes(status) });
    }
    this.current.handed = false;
    const said = objectOf(upstream.scrubbed(await this.#whole(reply, false), key).trim()) ?? {};
    if (status === 429 && !errors.tooLarge(said)) {
      const wait = Number(reply.headers.get("retry-after"));
      throw new Failure("busy", { status: 429, wait: wait > 0 ? Math.min(wait, 300) : 5 });
    }
    const told = errors.passedOn(status === 429 ? 413 : status, said, this.call.endpoint, this.notes);
    if (!CALLERS_OWN.includes(status)) throw new Failure(`status-${status}`, { told });
    throw told;
  }

  async #whole(reply, worked = true) {
    const pieces = [];
    let size = 0;
    const decoder = new TextDecoder();
    try {
      for (const reader = reply.body.getReader(); ;) {
        this.#within(this.patience.between);
        const { value, done } = await reader.read();
        if (done) return pieces.join("") + decoder.decode();
        size += value.length;
        if (size > LONGEST_ANSWER) throw new Failure("too-long", { worked });
        pieces.push(decoder.decode(value, { stream: true }));
      }
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw this.why ? new Failure("stalled", { status: 504, worked }) : new Failure("cut", { worked });
    }
  }

  async #atOnce(reply, key) {
    const { call, current } = this;
    const text = upstream.scrubbed(await this.#whole(reply), key);
    const document = objectOf(text.trim());
    if (document === null) throw new Failure("not-json", { worked: true });
    current.ended = true;
    current.count.report(document);
    current.count.hear(partOfAnswer(call.endpoint, document));
    await this.#settle();
    return new Response(text, { headers: { "Content-Type": "application/json", ...this.notes } });
  }

  // Nothing is sent before the first event is here: until then another target may answer.
  async #stream(reply, key) {
    const { call, current } = this;
    const events = new Events(call, key, current.count);
    const reader = reply.body.getReader();
    const decoder = new TextDecoder();
    const next = async (limit = this.patience.between) => {
      this.#within(limit);
      const { value, done } = await reader.read();
      const ready = done ? events.take(decoder.decode()) + events.end()
        : events.take(decoder.decode(value, { stream: true }));
      if (done && !events.finished) throw new Error("cut");
      return { ready, last: done || events.over };
    };
    let first;
    try {
      do first = await next(this.patience.first_byte); while (!first.ready && !first.last);
    } catch {
      throw this.why ? new Failure("stalled", { status: 504, worked: true }) : new Failure("cut", { worked: true });
    }
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => this.#break("gone")); // told at once, even while the upstream says nothing
    this.#pour(first, next, events, reader, writer);
    return new Response(readable, { headers: { ...STREAMED, ...this.notes } });
  }

  async #pour(piece, next, events, reader, writer) {
    const { current } = this;
    try {
      for (let { ready, last } = piece; ; ({ ready, last } = await next())) {
        if (ready) {
          this.#within(this.patience.between);
          await writer.write(encoder.encode(ready));
        }
        if (last) break;
      }
      current.ended = true;
    } catch {
      current.ended = false;
    }
    this.stop.abort();
    let problem = null;
    if (!current.ended && this.why !== "gone") {
      problem = this.why
        ? new Refused(504, "api_error", "upstream_stalled", "the upstream said nothing for too long")
        : new Refused(502, "api_error", "upstream_cut", "the upstream broke off");
      this.status = problem.status;
    }
    await this.#settle();
    try {
      if (problem) await writer.write(encoder.encode(errors.event(problem, this.call.endpoint)));
      await writer.close();
    } catch {
      // the caller is gone
    }
  }

  // From now on the next piece has so many milliseconds.
  #within(limit) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#break("time"), limit);
  }

  #break(why) {
    this.why ??= why;
    this.stop.abort();
  }

  // After a target that took too long the next one has its own time.
  #rearm() {
    if (this.why === "time") {
      this.why = undefined;
      this.stop = new AbortController();
    }
  }

  #took() {
    const { target, count, answering, ended } = this.current;
    return taken(this.call, target, count, answering, ended);
  }

  async #settle() {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.timer);
    clearTimeout(this.last);
    const rows = [...this.lost];
    if (this.current?.handed) rows.push({ ...this.#took(), upstream: this.current.target.upstream });
    try {
      await this.ledger.settle(this.id, {
        tokensIn: sum(rows, "tokensIn"), tokensOut: sum(rows, "tokensOut"), nanos: sum(rows, "nanos"),
        upstream: this.current?.target.upstream ?? rows.at(-1)?.upstream ?? "", status: this.status,
        verdict: this.why === "gone" ? "caller hung up" : "",
      });
    } catch (error) {
      // It stays counted at all that was reserved, and gives its place back with its lease.
      console.error(`[gate.ledger] ${error.name}: a call could not be settled`);
    } finally {
      this.end();
    }
  }

  #unexpected(error) {
    if (!(error instanceof Gone)) console.error(`[gate.internal] ${error.name}`);
    return errors.internal();
  }
}
