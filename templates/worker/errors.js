// Refusals, in the form that the caller's own client library reads. The same words as llm_gate/errors.py.

export class Refused extends Error {
  // `status`: HTTP. `kind`, `code`: OpenAI's words where it has one. `param`: the field that it is about.
  constructor(status, kind, code, message, headers = {}, param = null) {
    super(message);
    Object.assign(this, { status, kind, code, headers, param });
  }
}

const ANTHROPIC = {
  400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
  413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error",
};

export const bad = (message, code = "invalid_request", param = null, headers = {}) =>
  new Refused(400, "invalid_request_error", code, message, headers, param);

export const unauthorized = () =>
  new Refused(401, "authentication_error", "invalid_api_key", "a valid key is needed: Authorization: Bearer KEY",
    { "WWW-Authenticate": "Bearer" });

export const noModel = (model) =>
  new Refused(404, "invalid_request_error", "model_not_found",
    `there is no model '${model.slice(0, 200)}' here; GET /v1/models lists them`, {}, "model");

export const internal = () => new Refused(500, "api_error", "internal_error", "the gateway failed; it is logged");

// Whether a path's API has Anthropic's form. Both list models on one path: there the client's own header says.
export const isAnthropic = (path, headers) =>
  path.startsWith("/v1/messages") || (path.startsWith("/v1/models") && headers.has("anthropic-version"));

export function document(refused, anthropic) {
  if (anthropic) {
    const type = ANTHROPIC[refused.status] ?? "api_error";
    return { type: "error", error: { type, message: refused.message } };
  }
  return { error: { message: refused.message, type: refused.kind, param: refused.param, code: refused.code } };
}

export function response(refused, anthropic) {
  return Response.json(document(refused, anthropic), { status: refused.status, headers: refused.headers });
}

// The error as the last event of a stream that has begun.
export function event(refused, endpoint) {
  const named = endpoint === "/v1/messages" || endpoint === "/v1/responses";
  const content = endpoint === "/v1/responses"
    ? { type: "error", code: refused.code, message: refused.message, param: null }
    : document(refused, endpoint === "/v1/messages");
  return `${named ? "event: error\n" : ""}data: ${JSON.stringify(content)}\n\n`;
}

const TOO_LONG = new RegExp("maximum (context|model|prompt) length|context[ _](length|window)|prompt is too long" +
  "|input is too long|too many tokens|max_prompt_tokens|range of input length", "i");

// An upstream's refusal of what the caller asked, with the code and words that clients look for.
export function passedOn(status, said, endpoint, headers) {
  const error = said?.error;
  const inner = error && typeof error === "object" ? error : {};
  let message = inner.message ?? (typeof error === "string" ? error : said?.message ?? said?.detail);
  message = (typeof message === "string" && message ? message : `the upstream answered ${status}`).slice(0, 2000);
  let code = typeof inner.code === "string" ? inner.code : "upstream_refused";
  if ([400, 413, 422].includes(status) && TOO_LONG.test(`${inner.code} ${message}`)) {
    // Agents shorten the conversation when they read this, and give up on anything else.
    code = "context_length_exceeded";
    if (endpoint.startsWith("/v1/messages") && !message.startsWith("prompt is too long")) {
      message = `prompt is too long: ${message}`;
    }
  } else if (status === 413) {
    code = "request_too_large";
  }
  const param = typeof inner.param === "string" ? inner.param : null;
  return new Refused(status, "invalid_request_error", code, message, headers, param);
}

// How OpenAI and Groq say with 429 that one request has more tokens than the account may use in a minute.
export const tooLarge = (said) => /request (is )?too large/i.test(String(said?.error?.message ?? ""));

export function upstreamBusy(wait) {
  const seconds = Math.max(1, Math.round(wait));
  const headers = { "Retry-After": String(seconds) };
  // Some clients sleep however long they are told: a wait of minutes would look like an answer that never comes.
  if (seconds > 60) headers["x-should-retry"] = "false";
  return new Refused(429, "rate_limit_error", "upstream_rate_limited",
    `the upstream is busy; try again in ${seconds} s`, headers);
}
