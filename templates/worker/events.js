// A stream's events on their way through: counted, and without the usage that nobody asked for.

import { scrubbed } from "./upstream.js";
import { partOf } from "./usage.js";

const LONGEST = 4 * 2 ** 20;

export class Events {
  constructor(call, key, count) {
    Object.assign(this, { call, key, count, rest: "" });
    this.finished = false; // the stream came to its proper end
    this.over = false; // nothing that anybody waits for comes any more
    this.openai = ["/v1/chat/completions", "/v1/completions"].includes(call.endpoint);
  }

  // What to send on for a piece of the upstream's stream.
  take(text) {
    let whole = this.rest + text;
    if (whole.includes("\r")) {
      const tail = whole.endsWith("\r") ? "\r" : ""; // it may be half of a line end
      whole = whole.slice(0, whole.length - tail.length).replace(/\r\n?/g, "\n") + tail;
    }
    const events = whole.split("\n\n");
    this.rest = events.pop();
    if (this.rest.length > LONGEST) throw new Error("an event without an end");
    return events.map((each) => this.#one(each)).join("");
  }

  end() {
    const rest = this.rest.trim();
    this.rest = "";
    return rest ? this.#one(rest) : "";
  }

  #one(given) {
    if (this.over || !given) return "";
    const event = scrubbed(given, this.key);
    const data = event.split("\n").filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, "")).join("\n");
    if (data === "[DONE]") {
      this.finished = true;
      this.over ||= this.openai;
      return `${event}\n\n`;
    }
    const document = objectOf(data);
    // A comment keeps connections alive; anything else that is not an object says nothing to anybody.
    if (document === null) return event.startsWith(":") ? `${event}\n\n` : "";
    this.count.report(document);
    this.count.hear(partOf(this.call.endpoint, document));
    if (this.#ends(document)) {
      this.finished = true;
      this.over = !this.openai; // a chat's usage comes behind its last choice
    }
    if (this.openai && !this.call.wantsUsage && document.usage != null) {
      if (!document.choices?.length) return "";
      delete document.usage;
      return `data: ${JSON.stringify(document)}\n\n`;
    }
    return `${event}\n\n`;
  }

  #ends(document) {
    if (this.openai) return Array.isArray(document.choices) && document.choices.some((each) => each?.finish_reason);
    return ["message_stop", "response.completed", "response.incomplete", "response.failed", "error"]
      .includes(document.type);
  }
}

export function objectOf(text) {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
