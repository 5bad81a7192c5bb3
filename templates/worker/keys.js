// Who holds which key. Only SHA-256 of the keys is here, in secrets whose names begin with GATE_KEYS_.

import { Refused, unauthorized } from "./errors.js";

const tables = new WeakMap();

// The rules of the caller's key. One key, in one place: two that differ are nobody's.
export async function find(request, env, policy) {
  const given = new Set();
  const own = request.headers.get("x-api-key");
  if (own !== null) given.add(own.trim());
  const authorization = request.headers.get("Authorization");
  if (authorization !== null) {
    const [scheme, ...rest] = authorization.split(" ");
    if (scheme.toLowerCase() !== "bearer") throw unauthorized();
    given.add(rest.join(" ").trim());
  }
  const [key] = given;
  if (given.size !== 1 || !key || key.length >= 500) throw unauthorized();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const hex = [...new Uint8Array(digest)].map((each) => each.toString(16).padStart(2, "0")).join("");
  const name = table(env).get(hex);
  const rules = name !== undefined && Object.hasOwn(policy, name) ? { ...policy[name], name } : null;
  if (rules === null || (rules.expires != null && Date.now() / 1000 >= rules.expires)) throw unauthorized();
  return rules;
}

function table(env) {
  let found = tables.get(env);
  if (!found) {
    found = new Map(Object.keys(env).filter((name) => name.startsWith("GATE_KEYS_"))
      .flatMap((name) => Object.entries(JSON.parse(env[name]))));
    tables.set(env, found);
  }
  return found;
}

// Whether an address, as Cloudflare tells it, is in one of these ranges; one that cannot be read is nowhere.
export function allowsAddress(ranges, address) {
  if (!ranges?.length) return true;
  const where = bits(address);
  return where !== null && ranges.some((each) => {
    const [network, length] = each.split("/");
    const of = bits(network);
    if (of === null || of.length !== where.length) return false;
    const taken = length === undefined ? of.length : Number(length);
    return of.slice(0, taken) === where.slice(0, taken);
  });
}

// An address as 32 or 128 ones and zeros; null for what is none.
function bits(address) {
  const four = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(address);
  if (four) {
    const bytes = four.slice(1).map(Number);
    return bytes.every((each) => each < 256) ? bytes.map((each) => each.toString(2).padStart(8, "0")).join("") : null;
  }
  if (!/^[0-9a-f:]+$/i.test(address) || !address.includes(":")) return null;
  const halves = address.split("::").map((each) => (each ? each.split(":") : []));
  if (halves.length > 2) return null;
  const missing = 8 - halves.flat().length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const words = halves.length === 2 ? [...halves[0], ...Array(missing).fill("0"), ...halves[1]] : halves[0];
  if (words.some((each) => !/^[0-9a-f]{1,4}$/i.test(each))) return null;
  return words.map((each) => parseInt(each, 16).toString(2).padStart(16, "0")).join("");
}
