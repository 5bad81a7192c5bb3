// The gateway in front of vendors' APIs, as a Worker: the key first, then path, body, model, limits; nothing goes out
// before all of it holds. One Durable Object for each key holds its limits: see ledger.js.

import * as errors from "./errors.js";
import { Refused, bad } from "./errors.js";
import { allowsAddress, find } from "./keys.js";
import { hasMoney } from "./limits.js";
import { Relay } from "./relay.js";
import * as requests from "./requests.js";
import { settings } from "./settings.js";
import { able, order } from "./upstream.js";
import { known, reservation } from "./usage.js";

export { Ledger } from "./ledger.js";

// Bytes of a request. A Worker has 128 MB for all its calls at once.
const LONGEST_BODY = 4 * 2 ** 20;
const MODELS = "/v1/models";

export default {
  async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname;
    const anthropic = errors.isAnthropic(path, request.headers);
    try {
      return await serve(request, env, ctx, path);
    } catch (error) {
      if (error instanceof Refused) return errors.response(error, anthropic);
      console.error(`[gate.internal] ${error.name}`); // its words may hold what somebody asked
      return errors.response(errors.internal(), anthropic);
    }
  },
};

async function serve(request, env, ctx, path) {
  const address = request.headers.get("CF-Connecting-IP") ?? "";
  // What a firewall is to a machine: whoever is not among the callers is told nothing, not even of a good key.
  if (!allowsAddress(settings.allowed_cidrs, address)) {
    throw new Refused(403, "permission_error", "address_not_allowed", "nobody may call from here");
  }
  const rules = await find(request, env, settings.keys);
  if (!allowsAddress(rules.source_cidrs, address)) {
    throw new Refused(403, "permission_error", "address_not_allowed", "this key may not be used from here");
  }
  const listing = request.method === "GET" && (path === MODELS || path.startsWith(`${MODELS}/`));
  if (!listing && !(request.method === "POST" && requests.ENDPOINTS.has(path))) {
    throw new Refused(404, "invalid_request_error", "not_found", "there is no such endpoint here");
  }
  const endpoint = listing ? MODELS : path;
  if (rules.endpoints?.length && !rules.endpoints.includes(endpoint)) {
    throw new Refused(403, "permission_error", "endpoint_not_allowed", `this key may not use ${endpoint}`);
  }
  if (listing) return models(rules, path);
  const body = requests.parse(await read(request));
  const model = requests.modelOf(body);
  if (!allowsModel(rules, model)) throw requests.refuseModel(model);
  const route = Object.hasOwn(settings.routes, model) ? settings.routes[model] : null;
  if (!route) throw errors.noModel(model);
  let targets = order(settings, route, endpoint, requests.KINDS);
  if (!targets.length) throw bad(`the model '${model}' is not served on ${endpoint}`, "endpoint_not_served");
  const betas = request.headers.get("anthropic-beta") ?? "";
  const call = requests.check(settings, endpoint, body, rules, targets, route.most_out ?? 4096, betas);
  if (hasMoney(rules)) {
    targets = targets.filter((each) => known(each, call));
    if (!targets.length) {
      throw new Refused(403, "permission_error", "price_unknown",
        `this key has a budget in USD, and '${model}' has no price here for what is asked (text, or sound)`);
    }
  }
  targets = targets.filter((each) => able(each, call));
  if (!targets.length) {
    throw bad("response_format, n above 1 and log probabilities are passed over in silence by this model's vendor on " +
      "this endpoint, so they are refused here; use /v1/messages", "field_not_served");
  }
  const ledger = env.LEDGER.get(env.LEDGER.idFromName(rules.name));
  const ask = reservation(call, targets);
  const admitted = await ledger.admit(rules, ask);
  if (admitted.refused) {
    const { status, kind, code, message, headers } = admitted.refused;
    throw new Refused(status, kind, code, message, headers);
  }
  const notes = { "x-request-id": `req_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`, ...call.notes,
    ...admitted.headers };
  const relay = new Relay({ settings, env, call, rules, ledger, id: admitted.id, ask, notes, gone: request.signal });
  ctx.waitUntil(relay.done); // a caller that hangs up ends this function, and not the settlement
  const answered = relay.answer(targets);
  ctx.waitUntil(answered.catch(() => {}));
  try {
    return await answered;
  } catch (error) {
    if (error instanceof Refused) error.headers = { ...notes, ...error.headers };
    throw error;
  }
}

const allowsModel = (rules, model) => !rules.models?.length || rules.models.some((each) => matches(model, each));

// Only the star is special: a model's name may hold brackets.
function matches(model, pattern) {
  const parts = pattern.split("*").map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(model);
}

function models(rules, path) {
  const rows = Object.keys(settings.routes).sort().filter((each) => allowsModel(rules, each)).map((id) => ({
    id, object: "model", created: 0, owned_by: settings.routes[id].targets[0].upstream, type: "model",
    display_name: id, created_at: "1970-01-01T00:00:00Z",
  }));
  if (path === MODELS) {
    return Response.json({ object: "list", data: rows, has_more: false, first_id: rows[0]?.id ?? null,
      last_id: rows.at(-1)?.id ?? null });
  }
  let name = path.slice(MODELS.length + 1);
  try {
    name = decodeURIComponent(name);
  } catch {
    // as it is written
  }
  const found = rows.find((each) => each.id === name);
  if (!found) throw errors.noModel(name);
  return Response.json(found);
}

async function read(request) {
  const coding = request.headers.get("Content-Encoding") ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    throw new Refused(415, "invalid_request_error", "unsupported_encoding", "send the body uncompressed");
  }
  const kind = (request.headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
  if (kind !== "application/json") {
    throw new Refused(415, "invalid_request_error", "unsupported_media_type", "send Content-Type: application/json");
  }
  const tooLong = new Refused(413, "invalid_request_error", "request_too_large",
    `a request may have ${LONGEST_BODY} bytes (4 MiB)`);
  if (Number(request.headers.get("Content-Length") ?? 0) > LONGEST_BODY) throw tooLong;
  const pieces = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.length;
    if (size > LONGEST_BODY) throw tooLong;
    pieces.push(piece);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
