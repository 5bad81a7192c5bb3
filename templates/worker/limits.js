// What a key's limits refuse, of what its meter shows; each refusal says how long to wait, where waiting helps.
// The same rules as llm_gate/limits.py. Times are seconds since 1970; money is whole billionths of a dollar.

export const WINDOW = 60;
export const NANO = 1e9;

export const dayAt = (now) => new Date(now * 1000).toISOString().slice(0, 10);
const usd = (nanos) => (nanos / NANO).toFixed(6).replace(/0+$/, "").replace(/\.$/, "");

// Limits of tokens that no single request may exceed, and what they are called.
export const tokenLimits = (rules) =>
  [["tokens_per_minute", "tokens per minute"], ["daily_tokens", "tokens per day"],
    ["monthly_tokens", "tokens per month"]]
    .filter(([name]) => rules[name] != null).map(([name, title]) => [rules[name], title]);

export const hasBudget = (rules) =>
  [rules.daily_tokens, rules.monthly_tokens, rules.daily_budget_usd, rules.monthly_budget_usd]
    .some((each) => each != null);

export const hasMoney = (rules) => rules.daily_budget_usd != null || rules.monthly_budget_usd != null;

export const countsTokens = (rules) => tokenLimits(rules).length > 0 || hasBudget(rules);

// OpenAI's rate headers, for the limits that the key has.
export function headers(rules, meter, now) {
  const found = {};
  const reset = meter.recent.length ? meter.recent[0].at + WINDOW - now : 0;
  const used = meter.recent.reduce((sum, each) => sum + each.tokens, 0);
  for (const [unit, limit, taken] of [["requests", rules.requests_per_minute, meter.recent.length],
    ["tokens", rules.tokens_per_minute, used]]) {
    if (limit != null) {
      found[`x-ratelimit-limit-${unit}`] = String(limit);
      found[`x-ratelimit-remaining-${unit}`] = String(Math.max(0, limit - taken));
      found[`x-ratelimit-reset-${unit}`] = `${reset.toFixed(3)}s`;
    }
  }
  return found;
}

// The refusal, or null. `meter`: {recent: [{at, tokens}], oldest first; active; today, month: {tokens, nanos}}.
export function refusal(rules, meter, ask, now) {
  for (const [limit, what] of tokenLimits(rules)) {
    if (ask.tokens > limit) {
      return { status: 400, kind: "invalid_request_error", code: "request_exceeds_limit", headers: {},
        message: `this request may take ${ask.tokens} tokens, and the key has ${limit} ${what}: it can never be ` +
          "served; ask for fewer tokens (max_tokens), or send a shorter prompt" };
    }
  }
  if (rules.max_concurrency != null && meter.active >= rules.max_concurrency) {
    return limited(rules, meter, now, "concurrency_limit_exceeded",
      `${meter.active} requests of this key are under way, its limit`, 1);
  }
  const requests = rules.requests_per_minute;
  if (requests != null && meter.recent.length >= requests) {
    const wait = requests ? meter.recent[meter.recent.length - requests].at + WINDOW - now : WINDOW;
    return limited(rules, meter, now, "rate_limit_exceeded",
      `this key may make ${requests} requests per minute`, wait);
  }
  return usedUp(rules, meter, ask, now);
}

// The same for tokens and money alone, whoever asks for them.
export function usedUp(rules, meter, ask, now) {
  const perMinute = rules.tokens_per_minute;
  const used = meter.recent.reduce((sum, each) => sum + each.tokens, 0);
  if (perMinute != null && used + ask.tokens > perMinute) {
    let over = used + ask.tokens - perMinute;
    let wait = WINDOW;
    for (const each of meter.recent) {
      over -= each.tokens;
      if (over <= 0) {
        wait = each.at + WINDOW - now;
        break;
      }
    }
    return limited(rules, meter, now, "rate_limit_exceeded", `this key may use ${perMinute} tokens per minute, ` +
      `${used} are used or reserved, and this request may take ${ask.tokens}`, wait);
  }
  const tomorrow = 86400 - (now % 86400);
  const moment = new Date(now * 1000);
  const daysLeft = new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + 1, 0)).getUTCDate() -
    moment.getUTCDate();
  const nanos = (dollars) => (dollars == null ? null : Math.round(dollars * NANO));
  for (const [limit, taken, asked, unit, span, wait] of [
    [rules.daily_tokens, meter.today.tokens, ask.tokens, "tokens", "day", tomorrow],
    [rules.monthly_tokens, meter.month.tokens, ask.tokens, "tokens", "month", tomorrow + 86400 * daysLeft],
    [nanos(rules.daily_budget_usd), meter.today.nanos, ask.nanos, "USD", "day", tomorrow],
    [nanos(rules.monthly_budget_usd), meter.month.nanos, ask.nanos, "USD", "month", tomorrow + 86400 * daysLeft],
  ]) {
    if (limit != null && taken + asked > limit) {
      const [a, b, c] = unit === "tokens" ? [limit, taken, asked] : [limit, taken, asked].map(usd);
      return limited(rules, meter, now, "budget_exceeded", `this key's budget is ${a} ${unit} per ${span} (UTC), ` +
        `${b} are used or reserved, and this request may take ${c}`, wait, "insufficient_quota");
    }
  }
  return null;
}

function limited(rules, meter, now, code, message, wait, kind = "rate_limit_error") {
  const seconds = Math.max(1, Math.ceil(wait));
  const told = { "Retry-After": String(seconds), ...headers(rules, meter, now) };
  if (kind === "insufficient_quota") told["x-should-retry"] = "false"; // OpenAI's own clients heed it
  return { status: 429, kind, code, message: `${message}; try again in ${seconds} s`, headers: told };
}
