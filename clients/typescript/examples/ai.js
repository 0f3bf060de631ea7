// A model of the AI SDK remembers: node ai.js [URL [KEY]]
//
// A function of this program takes the place of the model; with a real one, write model: openai('gpt-5.1').
import { generateText, wrapLanguageModel } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { Foxing } from 'foxing-memory';
import { foxingMiddleware, foxingTools } from 'foxing-memory/ai';

const [baseUrl = 'http://127.0.0.1:8765', key] = process.argv.slice(2);
const foxing = new Foxing({ baseUrl, ...(key && { key }) });
const bank = 'javascript-ai-example';

const scripted = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const given = JSON.stringify(prompt.at(-1));
    const text = !given.includes('salmon') ? 'Noted.' : given.includes('I do not eat fish') ? 'No salmon for you, Mina: you do not eat fish.' : 'I do not know.';
    const usage = { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } };
    return { content: [{ type: 'text', text }], finishReason: { unified: 'stop', raw: undefined }, usage, warnings: [] };
  },
});

/**
 * Has a conversation of one turn.
 * @param {string} thread
 * @param {string} prompt
 */
async function converse(thread, prompt) {
  const memory = foxingMiddleware({ foxing, bank, thread, deadlineMs: 5_000 });
  const model = wrapLanguageModel({ model: scripted, middleware: memory });
  const { text } = await generateText({ model, prompt, tools: foxingTools({ foxing, bank }) });
  console.log(`user: ${prompt}\nassistant: ${text}`);
  await memory.flush(); // the next conversation begins at once here
}

await converse('monday', 'I am Mina, and I do not eat fish.');
await converse('tuesday', 'Mina here: do I eat fish? Shall I cook salmon?');
