// A client of OpenAI's SDK remembers, by one line: node wrap.js [URL [KEY]]
//
// With OPENAI_API_KEY set, a model of OpenAI answers; without it, a function of this program.
import OpenAI from 'openai';
import { Foxing } from 'foxing-memory';
import { flush, wrap } from 'foxing-memory/wrap';

const [baseUrl = 'http://127.0.0.1:8765', key] = process.argv.slice(2);
const foxing = new Foxing({ baseUrl, ...(key && { key }) });

/** @type {typeof fetch} Answers as a model would that reads what it is given. */
const scripted = async (_, init) => {
  const given = JSON.stringify(JSON.parse(String(init?.body)).messages.at(-1));
  const content = !given.includes('salmon') ? 'Noted.' : given.includes('I do not eat fish') ? 'No salmon for you, Mina: you do not eat fish.' : 'I do not know.';
  return Response.json({ id: 'c', object: 'chat.completion', choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }] });
};

const plain = process.env.OPENAI_API_KEY ? new OpenAI() : new OpenAI({ apiKey: 'none', fetch: scripted });
const client = wrap(plain, { foxing, bank: 'javascript-wrap-example', deadlineMs: 5_000 });

for (const content of ['I am Mina, and I do not eat fish.', 'Mina here: do I eat fish? Shall I cook salmon?']) {
  const answer = await client.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content }] });
  console.log(`user: ${content}\nassistant: ${answer.choices[0]?.message.content}`);
  await flush(client); // the next conversation begins at once here
}
