// What a program does with the AI SDK: node ai_sdk.mjs SCENARIO. The environment names the server.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const apiKey = process.env.OPENAI_API_KEY;
const baseURL = process.env.OPENAI_BASE_URL;
const MODEL = process.env.MODEL ?? "plain";
const compatible = createOpenAICompatible({ name: "gate", baseURL, apiKey, includeUsage: true });
const named = (name) => [
  compatible(name),
  createOpenAI({ baseURL, apiKey })(name),
  createAnthropic({ baseURL, apiKey })(name),
];
const models = named(MODEL);
const look = tool({
  description: "Look at something.",
  inputSchema: z.object({ at: z.string() }),
  execute: async ({ at }) => `${at}: a bird`,
});

const scenarios = {
  async chat() {
    for (const model of models) {
      console.log((await generateText({ model, prompt: "Say hello", maxRetries: 0 })).text);
    }
    console.log((await embed({ model: compatible.textEmbeddingModel(MODEL), value: "hello" })).embedding);
  },
  async stream() {
    for (const model of models) {
      const result = streamText({ model, prompt: "Say hello", maxRetries: 0 });
      let said = "";
      for await (const each of result.textStream) said += each;
      console.log(said, (await result.usage).outputTokens);
    }
  },
  async tools() {
    const prompt = 'Please call the tool look with {"at": "a heron"} now';
    for (const model of models) {
      const told = await generateText({ model, prompt, tools: { look }, stopWhen: stepCountIs(3), maxRetries: 0 });
      console.log(told.steps[0].toolCalls[0].toolName, JSON.stringify(told.steps[0].toolCalls[0].input), told.text);
    }
  },
  async cancel() {
    for (const model of named("stall")) await left(model, "Say hello");
    await goesOn();
  },
  async hangs_up() {
    for (const model of models) await left(model, "Talk without end");
    await goesOn();
  },
};

async function left(model, prompt) {
  const abort = new AbortController();
  for await (const each of streamText({ model, prompt, abortSignal: abort.signal, maxRetries: 0 }).textStream) {
    console.log(each);
    abort.abort();
    break;
  }
}

// The program goes on, and so do its connections that nobody closed.
const goesOn = () => new Promise((done) => setTimeout(done, 300_000));

await scenarios[process.argv[2]]();
