// An agent of Mastra remembers: node mastra.js [URL [KEY]]
//
// A function of this program takes the place of the model; with a real one, write model: 'openai/gpt-5.1'.
import { Agent } from '@mastra/core/agent';
import { Foxing } from 'foxing-memory';
import { FoxingProcessor } from 'foxing-memory/mastra';

const [baseUrl = 'http://127.0.0.1:8765', key] = process.argv.slice(2);
const foxing = new Foxing({ baseUrl, ...(key && { key }) });
const bank = 'javascript-mastra-example';

/** @type {any} A model of the AI SDK that reads what it is given. */
const scripted = {
  ...{ specificationVersion: 'v3', provider: 'scripted', modelId: 'scripted', supportedUrls: {} },
  /** @param {{ prompt: object[] }} options */
  async doStream({ prompt }) {
    const given = JSON.stringify(prompt.at(-1));
    const delta = !given.includes('salmon') ? 'Noted.' : given.includes('I do not eat fish') ? 'No salmon for you, Mina: you do not eat fish.' : 'I do not know.';
    const finish = { type: 'finish', finishReason: { unified: 'stop' }, usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } } };
    const parts = [{ type: 'stream-start', warnings: [] }, { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta }, { type: 'text-end', id: '1' }, finish];
    const stream = new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
    return { stream };
  },
};

/**
 * Has a conversation of one turn.
 * @param {string} thread
 * @param {string} prompt
 */
async function converse(thread, prompt) {
  const memory = new FoxingProcessor({ foxing, bank, thread, deadlineMs: 5_000 });
  const agent = new Agent({ id: 'cook', name: 'cook', instructions: 'Be brief.', model: scripted, inputProcessors: [memory], outputProcessors: [memory] });
  const { text } = await agent.stream(prompt);
  console.log(`user: ${prompt}\nassistant: ${await text}`);
  await memory.flush(); // the next conversation begins at once here
}

await converse('monday', 'I am Mina, and I do not eat fish.');
await converse('tuesday', 'Mina here: do I eat fish? Shall I cook salmon?');
