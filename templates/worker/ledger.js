// What one key has used: one Durable Object for each key, so all its calls meet in one place and one thread.
//
// No method awaits between looking at a limit and writing the admission down, so N is N however many ask at once.
// What is written is on the disk before the answer leaves (the platform's output gate): an admission outlives a crash.

import { DurableObject } from "cloudflare:workers";
import { WINDOW, dayAt, hasBudget, headers, refusal, usedUp } from "./limits.js";

// Seconds after which a call that nobody has settled gives its place back; it stays charged at all that was reserved.
// No call lasts as long: see LONGEST_CALL in relay.js.
export const LEASE = 960;
const KEEP_DAYS = 62;
const SWEEP = 100;

export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, began REAL NOT NULL, at REAL NOT NULL," +
      " day TEXT NOT NULL, tokens INTEGER NOT NULL, nanos INTEGER NOT NULL, minute INTEGER NOT NULL," +
      " open INTEGER NOT NULL, tokens_in INTEGER NOT NULL DEFAULT 0, tokens_out INTEGER NOT NULL DEFAULT 0," +
      " upstream TEXT NOT NULL DEFAULT '', status INTEGER NOT NULL DEFAULT 0, verdict TEXT NOT NULL DEFAULT '')");
    this.sql.exec("CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, requests INTEGER NOT NULL," +
      " tokens INTEGER NOT NULL, nanos INTEGER NOT NULL) WITHOUT ROWID");
    // In memory what the last minute had and what is under way; the file has both, for when this object begins anew.
    const rows = this.sql.exec("SELECT id, began, at, day, tokens, nanos, minute, open FROM calls ORDER BY at")
      .toArray();
    this.open = new Map(rows.filter((each) => each.open).map((each) => [each.id, { ...each }]));
    this.recent = rows.map((each) => ({ id: each.id, at: each.at, tokens: each.minute }));
    this.last = rows.reduce((most, each) => Math.max(most, each.id), 0);
    this.swept = 0;
  }

  // Count a call in: {id, headers}, or {refused}. `ask`: tokens and nanos at most.
  admit(rules, ask) {
    const now = Date.now() / 1000;
    const meter = this.#meter(rules, now);
    const refused = refusal(rules, meter, ask, now);
    if (refused) return { refused };
    const id = this.last + 1;
    const call = { id, began: now, at: now, day: dayAt(now), tokens: ask.tokens, nanos: ask.nanos, minute: ask.tokens };
    this.ctx.storage.transactionSync(() => {
      this.sql.exec("INSERT INTO calls (id, began, at, day, tokens, nanos, minute, open) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        id, now, now, call.day, ask.tokens, ask.nanos, ask.tokens);
      this.#book(call.day, 1, ask.tokens, ask.nanos);
    });
    this.last = id;
    this.open.set(id, call);
    this.recent.push({ id, at: now, tokens: ask.tokens });
    meter.recent = this.recent;
    return { id, headers: headers(rules, meter, now) };
  }

  // Reserve as much once more, as one upstream may have worked and another is asked: null, or {refused}.
  extend(rules, id, ask) {
    const now = Date.now() / 1000;
    const call = this.open.get(id);
    if (!call) return { refused: null };
    const refused = usedUp(rules, this.#meter(rules, now, call.day), ask, now);
    if (refused) return { refused };
    const within = this.recent.find((each) => each.id === id);
    const minute = (within?.tokens ?? 0) + ask.tokens;
    const at = within?.at ?? now;
    this.ctx.storage.transactionSync(() => {
      this.sql.exec("UPDATE calls SET tokens = tokens + ?, nanos = nanos + ?, at = ?, minute = ? WHERE id = ?",
        ask.tokens, ask.nanos, at, minute, id);
      this.#book(call.day, 0, ask.tokens, ask.nanos);
    });
    Object.assign(call, { tokens: call.tokens + ask.tokens, nanos: call.nanos + ask.nanos, minute });
    if (within) within.tokens = minute;
    else this.recent.push({ id, at, tokens: minute });
    return null;
  }

  // Put what the call took in the place of what was reserved. A second time does nothing.
  settle(id, spent) {
    const now = Date.now() / 1000;
    const call = this.open.get(id);
    if (!call) return;
    const within = this.recent.find((each) => each.id === id);
    // Of a call that was asked for again in a later minute nobody knows what was used when: all counts there, as far
    // as it was reserved there.
    const tokens = spent.tokensIn + spent.tokensOut;
    const minute = within ? Math.max(within.tokens + tokens - call.tokens, Math.min(within.tokens, tokens)) : 0;
    this.ctx.storage.transactionSync(() => {
      this.sql.exec("UPDATE calls SET tokens = ?, nanos = ?, minute = ?, open = 0, tokens_in = ?, tokens_out = ?," +
        " upstream = ?, status = ?, verdict = ? WHERE id = ?", tokens, spent.nanos, minute, spent.tokensIn,
      spent.tokensOut, spent.upstream, spent.status, spent.verdict, id);
      this.#book(call.day, 0, tokens - call.tokens, spent.nanos - call.nanos);
      this.swept += 1;
      if (this.swept >= SWEEP) {
        this.swept = 0;
        this.sql.exec("DELETE FROM calls WHERE at <= ? AND (open = 0 OR began <= ?)", now - WINDOW, now - LEASE);
        this.sql.exec("DELETE FROM days WHERE day < ?", dayAt(now - KEEP_DAYS * 86400));
      }
    });
    this.open.delete(id);
    if (within) within.tokens = minute;
  }

  #meter(rules, now, day = dayAt(now)) {
    for (const each of this.recent) {
      if (each.at > now) each.at = now; // the clock was set back
    }
    while (this.recent.length && this.recent[0].at <= now - WINDOW) this.recent.shift();
    for (const [id, call] of this.open) {
      if (call.began <= now - LEASE) this.open.delete(id);
    }
    const none = { tokens: 0, nanos: 0 };
    const budgets = hasBudget(rules);
    return {
      recent: this.recent,
      active: this.open.size,
      today: budgets ? this.#sums(day) : none,
      month: budgets ? this.#sums(day.slice(0, 7)) : none,
    };
  }

  #sums(prefix) {
    const row = this.sql.exec("SELECT sum(requests) AS requests, sum(tokens) AS tokens, sum(nanos) AS nanos FROM days" +
      " WHERE day >= ? AND day < ?", prefix, `${prefix}~`).one();
    return { requests: row.requests ?? 0, tokens: row.tokens ?? 0, nanos: row.nanos ?? 0 };
  }

  #book(day, requests, tokens, nanos) {
    this.sql.exec("INSERT INTO days VALUES (?1, ?2, ?3, ?4) ON CONFLICT (day) DO UPDATE SET" +
      " requests = requests + ?2, tokens = tokens + ?3, nanos = nanos + ?4", day, requests, tokens, nanos);
  }
}
