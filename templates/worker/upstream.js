// Requests to upstreams: written from scratch, so that nothing of the caller's own headers ever travels on.

import { LIMITS, fields } from "./requests.js";

const PASSED_OVER = ["logprobs", "top_logprobs", "logit_bias", "prediction", "modalities"];

// The targets of a route that have an endpoint, in the order in which to try them: by weight, then the fallbacks.
export function order(settings, route, endpoint, kinds) {
  const has = (row) => kinds[settings.upstreams[row.upstream].kind]?.includes(endpoint);
  const able = route.targets.filter(has);
  const drawn = [];
  while (able.length) {
    let point = Math.random() * able.reduce((sum, each) => sum + (each.weight ?? 1), 0);
    let at = able.findIndex((each) => (point -= each.weight ?? 1) < 0);
    if (at < 0) at = able.length - 1;
    drawn.push(...able.splice(at, 1));
  }
  drawn.push(...(route.fallback ?? []).filter(has));
  return drawn.map((row) => {
    const upstream = settings.upstreams[row.upstream];
    return { ...row, kind: upstream.kind, baseUrl: upstream.base_url, secret: upstream.secret };
  });
}

// Whether a target does all that the call asks, and does not pass over some of it in silence.
export function able(target, call) {
  if (target.kind !== "anthropic" || call.endpoint !== "/v1/chat/completions") return true;
  const { n, response_format: form } = call.body;
  if ((n != null && n !== 1) || (form?.type ?? "text") !== "text") return false;
  return !PASSED_OVER.some((name) => call.body[name] && call.body[name].length !== 0);
}

export function body(settings, target, call) {
  const taken = fields(settings.fields, call.endpoint, target.kind);
  const sent = Object.fromEntries(Object.entries(call.body).filter(([name]) => taken.has(name)));
  sent.model = target.model;
  const names = LIMITS[call.endpoint];
  if (names) {
    const given = names.filter((name) => sent[name] != null).map((name) => sent[name]);
    for (const name of names) delete sent[name];
    if (given.length || call.bound !== null) {
      const asked = given.length ? Math.max(...given) : call.bound;
      // OpenAI's newer models refuse the old name; not every other vendor knows the new one.
      const name = target.kind === "openai" ? names[0] : names[names.length - 1];
      sent[name] = target.window == null ? asked : Math.min(asked, target.window);
    }
  }
  // Left out, it is kept at the vendor, where any holder of the same key could read it.
  if (call.endpoint === "/v1/responses") sent.store = false;
  if (call.stream && ["/v1/chat/completions", "/v1/completions"].includes(call.endpoint)) {
    sent.stream_options = { ...sent.stream_options, include_usage: true };
  } else if (!call.stream) {
    delete sent.stream_options;
  }
  return JSON.stringify(sent);
}

export function headers(target, call, key) {
  const found = {
    Accept: call.stream ? "text/event-stream" : "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "pulumi-llm-gateway",
  };
  const native = call.endpoint.startsWith("/v1/messages");
  if (native) {
    found["anthropic-version"] = "2023-06-01";
    if (call.betas.length) found["anthropic-beta"] = call.betas.join(",");
  }
  if (key && native && target.kind === "anthropic") found["x-api-key"] = key;
  else if (key) found.Authorization = `Bearer ${key}`;
  return found;
}

export const url = (target, endpoint) => target.baseUrl.replace(/\/+$/, "") + endpoint.replace(/^\/v1/, "");

// What an upstream said, without the key that it was asked with.
export const scrubbed = (text, key) => (key ? text.replaceAll(key, "[removed]") : text);
