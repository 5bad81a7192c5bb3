// What a program does with the AI SDK: node ai_sdk.mjs SCENARIO. The environment names the server.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const apiKey = process.env.OPENAI_API_KEY;
const baseURL = process.env.OPENAI_BASE_URL;
const compatible = createOpenAICompatible({ name: "gate", baseURL, apiKey, includeUsage: true });
const models = [
  compatible("plain"),
  createOpenAI({ baseURL, apiKey })("plain"),
  createAnthropic({ baseURL, apiKey })("plain"),
];
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
    console.log((await embed({ model: compatible.textEmbeddingModel("plain"), value: "hello" })).embedding);
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
    const abort = new AbortController();
    const model = compatible("stall");
    for await (const each of streamText({ model, prompt: "Say hello", abortSignal: abort.signal }).textStream) {
      console.log(each);
      abort.abort();
      break;
    }
  },
};

await scenarios[process.argv[2]]();
