// What a caller may send: read once, checked whole, and written anew for the upstream, so that both read the same.
// The lists of fields are llm-gate's own file, which is in the settings.

import { Refused, bad } from "./errors.js";
import { countsTokens, tokenLimits } from "./limits.js";
import { ofRequest } from "./tokens.js";

export const LIMITS = {
  "/v1/chat/completions": ["max_completion_tokens", "max_tokens"],
  "/v1/completions": ["max_tokens"],
  "/v1/responses": ["max_output_tokens"],
  "/v1/messages": ["max_tokens"],
};
export const COUNTED_FREE = "/v1/messages/count_tokens";

// Kinds of upstream, and the endpoints that each has. Speech, ranking and vLLM's own are not served here.
const CHAT = "/v1/chat/completions";
const TEXT = [CHAT, "/v1/completions", "/v1/embeddings"];
export const KINDS = {
  openai: [...TEXT, "/v1/responses"],
  anthropic: [CHAT, "/v1/messages", COUNTED_FREE],
  gemini: [CHAT, "/v1/embeddings"],
  groq: [CHAT, "/v1/responses"],
  deepseek: [CHAT],
  qwen: TEXT,
  qianfan: [CHAT, "/v1/embeddings"],
  ark: [CHAT, "/v1/embeddings"],
  "pai-eas": TEXT,
  hai: TEXT,
  custom: TEXT,
};
export const ENDPOINTS = new Set(Object.values(KINDS).flat());

const DEEPEST = 100;
const MOST_PARTS = 100_000;
const MOST_VALUES = 1_000_000;
const MOST = 1_000_000;
const OWN_TOOLS = new Set(["function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"]);
const OWN_TOOLS_ANTHROPIC = ["bash_", "text_editor_", "computer_", "memory_"];
const AT_WILL = ["web_search", "web_fetch", "image_generation"];

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isWhole = (value) => typeof value === "number" && Number.isInteger(value);

// The body as an object, or Refused for what would not be the same once it is written anew.
export function parse(raw) {
  let body;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw));
  } catch {
    throw bad("the body is not a JSON object in UTF-8", "invalid_json");
  }
  if (!isObject(body)) throw bad("the body is not a JSON object", "invalid_json");
  let level = [body];
  let parts = 0;
  let values = 0;
  for (let depth = 0; level.length; depth += 1) {
    if (depth > DEEPEST) throw bad(`the body has more than ${DEEPEST} lists and objects in one another`, "invalid_json");
    parts += level.length;
    if (parts > MOST_PARTS) throw bad(`the body has more than ${MOST_PARTS} lists and objects`, "invalid_json");
    const next = [];
    for (const holder of level) {
      const names = Array.isArray(holder) ? null : Object.keys(holder);
      const held = names ? names.map((name) => holder[name]) : holder;
      values += held.length;
      if (values > MOST_VALUES) throw bad("the body has more values than any request needs", "invalid_json");
      for (const [at, each] of held.entries()) {
        if (typeof each === "number" && !(Math.abs(each) <= Number.MAX_SAFE_INTEGER)) {
          throw bad("a number is larger than 2^53, and could not be passed on as it is", "invalid_json",
            holder === body ? names[at] : null);
        }
        if (each !== null && typeof each === "object") next.push(each);
      }
    }
    level = next;
  }
  return body;
}

export function modelOf(body) {
  const { model } = body;
  if (typeof model !== "string" || !model || model.length > 200) {
    throw bad("the body must name a model", "model_required", "model");
  }
  return model;
}

// The fields of a body that a kind of upstream is sent on an endpoint.
export function fields(lists, endpoint, kind) {
  const without = new Set(lists.without[kind]?.[endpoint] ?? []);
  return new Set([...lists.endpoints[endpoint].filter((each) => !without.has(each)),
    ...(lists.kinds[kind]?.[endpoint] ?? [])]);
}

// A parsed body as a call. `targets`: whoever may answer. What goes to none of them is taken out of `body`.
export function check(settings, endpoint, body, rules, targets, mostOut, betas) {
  const lists = settings.fields;
  const kinds = [...new Set(targets.map((each) => each.kind))];
  const leftOut = [...choose(lists, endpoint, body, kinds), ...ownTools(endpoint, body)];
  references(body);
  if (body.stream != null && typeof body.stream !== "boolean") {
    throw bad("stream has to be true or false", "invalid_request", "stream");
  }
  const options = body.stream_options;
  if (options != null && !isObject(options)) {
    throw bad("stream_options has to be an object", "invalid_request", "stream_options");
  }
  let choices = Math.max(number(body, "n", 1), number(body, "best_of", 1), 1);
  number(body, "thinking_budget", 0);
  if (Array.isArray(body.prompt) && body.prompt.length &&
      body.prompt.every((each) => typeof each === "string" || Array.isArray(each))) {
    choices *= body.prompt.length;
  }
  if (choices > 128) throw bad("more than 128 answers at once are not served");
  const names = LIMITS[endpoint] ?? [];
  let asked = names.filter((name) => body[name] != null).map((name) => number(body, name, 0, 1));
  let bound = null;
  if (!asked.length && names.length && countsTokens(rules)) {
    // Half of what there is, so that an answer without a bound can be admitted at all.
    bound = tokenLimits(rules).reduce((least, [limit]) => Math.max(1, Math.min(least, Math.floor(limit / 2))), mostOut);
    asked = [bound];
  }
  const windows = targets.map((each) => each.window);
  if (windows.every((each) => each)) asked = asked.map((each) => Math.min(each, Math.max(...windows)));
  let tokensOut = choices * Math.max(0, ...asked);
  // Qwen's own; its max_tokens bounds the answer alone.
  if (tokensOut && isWhole(body.thinking_budget)) tokensOut += body.thinking_budget * Math.max(1, body.n ?? 1);
  const free = endpoint === COUNTED_FREE;
  const again = body.best_of && !asked.length ? choices : 1;
  return {
    endpoint, body, bound, tokensOut,
    model: body.model,
    stream: Boolean(body.stream) && names.length > 0,
    wantsUsage: Boolean(options?.include_usage),
    tokensIn: free ? 0 : again * ofRequest(body, endpoint, targets, settings.pictures),
    betas: [...new Set(betas.split(",").map((each) => each.trim()).filter((each) => lists.betas.includes(each)))],
    notes: leftOut.length ? { "x-llm-left-out": leftOut.map(safe).join(", ").slice(0, 300) } : {},
  };
}

const safe = (name) => name.replace(/[^A-Za-z0-9_.-]/g, "?").slice(0, 60);

function number(body, name, fallback, least = 0) {
  const value = body[name];
  if (value == null) return fallback;
  if (!isWhole(value) || value < least || value > MOST) {
    throw bad(`${name} has to be a whole number from ${least} to ${MOST}`, "invalid_request", name);
  }
  return value;
}

function choose(lists, endpoint, body, kinds) {
  const taken = kinds.map((kind) => fields(lists, endpoint, kind));
  const leftOut = [];
  for (const name of Object.keys(body)) {
    const some = taken.some((each) => each.has(name));
    if (taken.every((each) => each.has(name)) && name !== "store") continue;
    const value = body[name];
    // These ask for nothing; an empty object may ask for something as it comes.
    if (value === null || value === false || value === "" || (Array.isArray(value) && !value.length)) {
      if (!some || name === "store") delete body[name];
      continue;
    }
    const why = own(lists.refused[endpoint], name) ?? own(lists.refused["*"], name);
    if (why !== undefined) throw bad(`${name} is not accepted here: ${why}`, "field_refused", name);
    if (lists.needed[endpoint]?.includes(name)) {
      throw bad(`${name} is not served by this model on this endpoint`, "field_not_served", name);
    }
    if (!some) {
      delete body[name];
      leftOut.push(name);
    }
  }
  return leftOut;
}

const own = (holder, name) => (holder && Object.hasOwn(holder, name) ? holder[name] : undefined);

// Leave the tools that callers run themselves; the types of those that were taken out.
function ownTools(endpoint, body) {
  const { tools } = body;
  if (tools == null) return [];
  if (!Array.isArray(tools) || !tools.every(isObject)) {
    throw bad("tools has to be a list of objects", "invalid_request", "tools");
  }
  if (!tools.length) {
    delete body.tools;
    const choice = body.tool_choice;
    if (["auto", "none"].includes(isObject(choice) ? choice.type : choice)) delete body.tool_choice;
    return [];
  }
  const kept = [];
  const others = [];
  for (const each of tools) {
    if (isOwn(endpoint, each)) kept.push(each);
    else if (AT_WILL.some((name) => typeof each.type === "string" && each.type.startsWith(name))) others.push(each);
    else throw notServed(each.type);
  }
  if (others.length) {
    const chosen = JSON.stringify(body.tool_choice ?? null);
    const askedFor = others.some((each) => ["type", "name"].some(
      (name) => name in each && chosen.includes(JSON.stringify(each[name]))));
    if (!kept.length || askedFor) throw notServed(others[0].type);
    body.tools = kept;
  }
  return [...new Set(others.map((each) => each.type))];
}

function isOwn(endpoint, tool) {
  const { type } = tool;
  if (type === "namespace") {
    return Array.isArray(tool.tools) && tool.tools.every((each) => isObject(each) && isOwn(endpoint, each));
  }
  if (type === "tool_search") return tool.execution === "client";
  if (type == null) return true;
  return OWN_TOOLS.has(type) || (endpoint.startsWith("/v1/messages") && typeof type === "string" &&
    OWN_TOOLS_ANTHROPIC.some((name) => type.startsWith(name)));
}

const notServed = (type) => bad(`the tool type '${String(type).slice(0, 100)}' runs at the vendor, and is not ` +
  "served here; 'function' is", "tool_not_served", "tools");

// Refuse what points at things of the account's owner.
function references(body) {
  const pending = [body.messages, body.input, body.system];
  while (pending.length) {
    const value = pending.pop();
    if (value === null || typeof value !== "object") continue;
    if (!Array.isArray(value) && (value.type === "item_reference" || typeof value.file_id === "string")) {
      throw bad("references to files or items of the vendor's account are not served", "reference_refused");
    }
    pending.push(...(Array.isArray(value) ? value : Object.values(value)));
  }
}

export const refuseModel = (model) =>
  new Refused(403, "permission_error", "model_not_allowed", `this key may not use the model '${model}'`);
