// What a call took: the upstream's own numbers, or what was said may have at most where it gives none; and the money.
// The rules are llm_gate's usage.py, money.py and progress.py.

import { COUNTED_FREE, LIMITS } from "./requests.js";
import { ofText } from "./tokens.js";

const MOST = 100_000_000;
const UNSAID = new Set(["logprobs", "finish_reason", "stop_reason", "stop_sequence", "token_ids", "obfuscation",
  "signature", "encrypted_content", "data", "usage"]);
const PROTOCOL = new Set(["type", "id", "call_id", "tool_call_id", "tool_use_id", "status", "detail", "media_type",
  "format", "encoding_format", "index", "object", "model", "item_id", "output_index", "role"]);
const NAME = /^[A-Za-z0-9_./:+-]{1,64}$/;

const whole = (row, ...names) => {
  for (const name of names) {
    const value = row[name];
    if (Number.isInteger(value) && value >= 0 && value <= MOST) return value;
  }
  return null;
};

export class Count {
  constructor(call) {
    this.call = call;
    this.reportedIn = null;
    this.reportedOut = null;
    this.usage = null;
    this.pieces = 0;
    this.seen = 0;
  }

  // The texts of an answer or an event.
  hear(value) {
    if (this.call.endpoint === COUNTED_FREE || this.call.endpoint === "/v1/embeddings") return;
    for (const text of said(value)) {
      this.pieces += 1;
      this.seen += ofText(text);
    }
  }

  // The numbers that an answer or an event carries, wherever its kind has them.
  report(document) {
    for (const holder of [document, document.message, document.response, document.x_groq]) {
      const usage = holder?.usage;
      if (usage === null || typeof usage !== "object") continue;
      const given = whole(usage, "prompt_tokens", "input_tokens");
      let answered = whole(usage, "completion_tokens", "output_tokens");
      const total = whole(usage, "total_tokens");
      if (given !== null) {
        // Anthropic's cache counts come on top of its input_tokens; OpenAI's are part of its own.
        this.reportedIn = given + (whole(usage, "cache_creation_input_tokens") ?? 0) +
          (whole(usage, "cache_read_input_tokens") ?? 0);
        this.usage = usage;
        // Gemini's thinking is in its total alone, and is paid for.
        if (total !== null) answered = Math.max(answered ?? 0, total - given);
      }
      if (answered !== null) this.reportedOut = Math.max(answered, this.reportedOut ?? 0);
    }
  }

  get tokensIn() { return this.reportedIn ?? this.call.tokensIn; }
  get heardOut() { return Math.max(this.pieces, this.seen); }
  // A report of nothing about an answer that was there is not believed.
  get tokensOut() { return this.reportedOut || this.heardOut; }
}

function* said(value) {
  if (typeof value === "string") {
    if (value) yield value;
  } else if (Array.isArray(value)) {
    for (const each of value) yield* said(each);
  } else if (value !== null && typeof value === "object") {
    for (const [key, each] of Object.entries(value)) {
      if (UNSAID.has(key) || (PROTOCOL.has(key) && typeof each === "string" && NAME.test(each))) continue;
      yield* said(each);
    }
  }
}

// The part of an event in which an answer goes on.
export function partOf(endpoint, event) {
  if (endpoint === "/v1/chat/completions" || endpoint === "/v1/completions") {
    return Array.isArray(event.choices) ? event.choices.map((each) => each?.delta ?? each) : null;
  }
  if (typeof event.delta === "string") return String(event.type).endsWith(".delta") ? event.delta : null;
  return { content_block_delta: event.delta, content_block_start: event.content_block }[event.type] ?? null;
}

// The part of a whole answer that the model has written.
export const partOfAnswer = (endpoint, answer) =>
  ({ "/v1/messages": answer.content, "/v1/responses": answer.output }[endpoint] ?? answer.choices ?? null);

// Kinds of upstream, and how the names of their models begin, that stream all that they make, thinking too.
const SHOWN = { deepseek: [""], qwen: [""], openai: ["gpt-3", "gpt-4", "chatgpt-4"] };

function showsAll(call, target) {
  if (call.body.include_reasoning === false) return false;
  if (target.kind === "anthropic") {
    const { thinking } = call.body;
    return call.endpoint === "/v1/messages" && (thinking == null || thinking?.type === "disabled");
  }
  return (SHOWN[target.kind] ?? []).some((each) => target.model.startsWith(each));
}

function isBounded(call, target) {
  if (!(call.endpoint in LIMITS)) return false;
  // Qwen's max_tokens bounds the answer alone.
  const freely = call.body.enable_thinking !== false && call.body.thinking_budget == null;
  return !(target.kind === "qwen" && freely);
}

// What a target takes for a call: {tokensIn, tokensOut, nanos}. `answering`: its answer has begun; `ended`: all of it is here.
export function taken(call, target, count, answering, ended) {
  if (!answering) {
    // Nobody knows how far the upstream is: hanging up is not a way to get tokens for nothing.
    return priced(target, call.tokensIn, call.tokensOut, dearerAtMost(call, target));
  }
  let out = count.tokensOut;
  if (!ended) {
    const shown = call.stream && count.heardOut && showsAll(call, target);
    out = Math.max(count.heardOut, shown ? count.reportedOut ?? 0 : call.tokensOut);
  }
  // No answer is longer than the bound that went with the request.
  if (call.tokensOut && isBounded(call, target)) out = Math.min(out, call.tokensOut);
  const more = count.reportedIn === null ? dearerAtMost(call, target) : dearer(count.usage ?? {}, target.kind);
  return priced(target, count.tokensIn, out, more);
}

const priced = (target, tokensIn, tokensOut, more) =>
  ({ tokensIn, tokensOut, nanos: nanosOf(target, tokensIn, tokensOut, more) });

// Cost in billionths of a dollar; what has no price costs nothing here. Prices are USD per million tokens.
const nanosOf = (target, tokensIn, tokensOut, more) =>
  Math.round(1000 * ((target.price_in ?? 0) * (tokensIn + more) + (target.price_out ?? 0) * tokensOut));

export const reservation = (call, targets) => ({
  tokens: call.tokensIn + call.tokensOut,
  nanos: Math.max(...targets.map((each) => nanosOf(each, call.tokensIn, call.tokensOut, dearerAtMost(call, each)))),
});

// What tokens cost more than others that go into a vendor's cache, as a part of a prompt's price.
const WRITTEN = { qwen: 0.34 };
const ELSEWHERE = 0.25;

function dearer(usage, kind) {
  const rows = [usage, usage.prompt_tokens_details, usage.input_tokens_details]
    .filter((each) => each !== null && typeof each === "object");
  const most = (list, ...names) => Math.max(0, ...list.flatMap((row) => names.map((name) => whole(row, name) ?? 0)));
  const written = most(rows, "cache_creation_input_tokens", "cache_write_tokens");
  const kept = rows.map((each) => each.cache_creation).filter((each) => each !== null && typeof each === "object");
  const hour = Math.min(most(kept, "ephemeral_1h_input_tokens"), written);
  return hour + (written - hour) * (WRITTEN[kind] ?? ELSEWHERE);
}

function dearerAtMost(call, target) {
  if (!target.price_in) return 0;
  const marks = marksOf(call.body);
  if (marks.has("1h")) return call.tokensIn;
  return marks.size || target.kind === "openai" ? (WRITTEN[target.kind] ?? ELSEWHERE) * call.tokensIn : 0;
}

// For how long parts of a request are to be kept in a cache.
function marksOf(body) {
  const found = new Set();
  const pending = [body];
  while (pending.length) {
    const value = pending.pop();
    if (value === null || typeof value !== "object") continue;
    if (value.cache_control != null) found.add(String(value.cache_control.ttl ?? "5m"));
    for (const each of Array.isArray(value) ? value : Object.values(value)) pending.push(each);
  }
  return found;
}

const SOUND = ["input_audio", "audio_url", "audio"];

// Whether it is known what a call may cost there. What costs nothing costs nothing for sound either.
export function known(target, call) {
  const answerless = call.endpoint === "/v1/embeddings";
  if (target.price_in == null || (target.price_out == null && !answerless)) return false;
  if (!(target.price_in || target.price_out)) return true;
  const { modalities } = call.body;
  if (Array.isArray(modalities) && modalities.some((each) => each !== "text")) return false;
  const pending = [call.body.messages, call.body.input, call.body.system];
  while (pending.length) {
    const value = pending.pop();
    if (value === null || typeof value !== "object") continue;
    if (SOUND.includes(value.type) || SOUND.some((name) => value[name] && ["object", "string"].includes(typeof value[name]))) {
      return false;
    }
    for (const each of Array.isArray(value) ? value : Object.values(value)) pending.push(each);
  }
  return true;
}
