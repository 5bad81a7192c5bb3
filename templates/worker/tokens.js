// The most tokens that a request may have: every tokeniser in use goes down to bytes, so a text has no more tokens than
// bytes, once it is normalised (NFC, NFKC). See docs/decisions/tokens.md; the numbers are llm_gate/tokens.py's.

const PER_FIELD = 6;
const PER_MESSAGE = 10;
const PER_REQUEST = 100;
const WITH_TOOLS = 600;
const READ = ["messages", "prompt", "input", "instructions", "system", "tools", "functions", "suffix"];
const SCHEMAS = ["response_format", "text", "documents", "output_format", "output_config", "structured_outputs",
  "prediction", "chat_template_kwargs"];
const encoder = new TextEncoder();
// Stretches no form of which is longer: ASCII, Han, Hangul, full-width signs, private ones.
const PLAIN = new RegExp("[\\u0000-\\u009f\\u3001-\\u3029\\u3400-\\u9fff\\uac00-\\ud7a3\\ue000-\\uf8ff\\uff01-\\uff60" +
  "\\u{20000}-\\u{2f7ff}\\u{2fa20}-\\u{10ffff}]+", "gu");

const size = (text) => encoder.encode(text).length;

export function ofText(text) {
  let total = size(text);
  for (const char of text.replace(PLAIN, "")) {
    total += Math.max(0, size(char.normalize("NFC")) - size(char), size(char.normalize("NFKC")) - size(char));
  }
  return total;
}

// `targets`: whoever may be asked; what a picture takes is theirs to say, and here each counts as their largest.
export function ofRequest(body, endpoint, targets, pictures) {
  const picture = Math.max(...targets.map((each) => mostOf(pictures, each)));
  let total = ["/v1/completions", "/v1/embeddings"].includes(endpoint) ? PER_FIELD : PER_REQUEST;
  if (body.tools?.length || body.functions?.length) total += WITH_TOOLS;
  for (const name of READ) {
    if (body[name] != null) total += ofNumbers(body[name]) || of(body[name], picture);
  }
  for (const name of SCHEMAS) {
    if (body[name] !== null && typeof body[name] === "object") total += of(body[name], picture);
  }
  return total;
}

function mostOf(rows, target) {
  return rows.find((each) => (each.kind === target.kind || each.kind === "*") &&
    (each.model.endsWith("*") ? target.model.startsWith(each.model.slice(0, -1)) : target.model === each.model)).most;
}

// The length of a prompt that is tokens already, or of several; 0 for anything else.
function ofNumbers(value) {
  const rows = Array.isArray(value) && Array.isArray(value[0]) ? value : [value];
  const whole = (row) => Array.isArray(row) && row.length > 0 && row.every((each) => Number.isInteger(each));
  return rows.every(whole) ? rows.reduce((sum, row) => sum + row.length, 0) : 0;
}

function of(value, picture) {
  if (typeof value === "string") return ofText(value);
  if (Array.isArray(value)) return value.reduce((sum, each) => sum + of(each, picture) + PER_FIELD, 0);
  if (value !== null && typeof value === "object") {
    return Object.entries(value).reduce((sum, [key, each]) =>
      sum + ofText(key) + PER_FIELD + ofField(value, key, each, picture), PER_MESSAGE);
  }
  return JSON.stringify(value).length;
}

function ofField(holder, key, value, picture) {
  if (typeof value !== "string") return of(value, picture);
  if ((key === "url" || key === "image_url") && /^https?:/.test(value)) return picture;
  if (isPicture(holder, key, value)) return picture;
  return Math.max(ofText(value), key === "arguments" ? ofArguments(value) : 0);
}

const BASE64 = /^[A-Za-z0-9+/=_\s-]*$/;

// A picture, by its place and by how it looks. Whatever else is in Base64 counts a token for each byte.
function isPicture(holder, key, value) {
  if (key === "url" || key === "image_url") return /^data:image\/[\w.+-]+;base64,[A-Za-z0-9+/=_-]*$/.test(value);
  return key === "data" && /^image\/[\w.+-]+$/.test(holder.media_type ?? "") && BASE64.test(value);
}

// JSON that a server reads and its template writes anew, with a space behind each comma and colon, is longer than it
// came: so it counts as it is then.
function ofArguments(text) {
  if (!/^\s*[{[]/.test(text)) return 0;
  try {
    return ofText(spaced(JSON.parse(text)));
  } catch {
    return 0;
  }
}

function spaced(value) {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${spaced(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
