import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Foxing, InvalidInput } from '../src/index.ts';
import { flush, wrap } from '../src/wrap.ts';
import { recordedSessions, throughWrap } from './recorded.ts';
import { messagesOf, saidIn, startService } from './service.ts';

const [foxing, recorded] = await Promise.all([startService(), recordedSessions()]);

type Sent = { messages?: { role: string; content: unknown }[]; input?: unknown };

/** A provider that gives one answer after the other, and keeps what it was sent. */
function provider(...answers: (object | string)[]): { fetch: typeof fetch; sent: Sent[] } {
  const sent: Sent[] = [];
  const answer: typeof fetch = async (_, init) => {
    sent.push(JSON.parse(init?.body as string) as Sent);
    const next = answers[Math.min(sent.length, answers.length) - 1] ?? {};
    const isStream = typeof next === 'string';
    return new Response(isStream ? next : JSON.stringify(next), { headers: { 'content-type': isStream ? 'text/event-stream' : 'application/json' } });
  };
  return { fetch: answer, sent };
}

const completion = (content: string) => ({ id: 'c', object: 'chat.completion', choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }] });
const events = (...parts: object[]) => parts.map((part) => `event: x\ndata: ${JSON.stringify(part)}\n\n`).join('');

test('recorded sessions are stored as by the wrap of Python', async () => {
  for (const session of recorded) {
    const { thread, stored } = session;
    const options = { foxing, bank: `wrap-${thread}`, thread, recall: false };
    assert.equal(await throughWrap(session, options), true);
    assert.equal(await throughWrap(session, options), true); // again
    const found = await messagesOf(foxing, `wrap-${thread}`);
    assert.deepEqual(found.map(({ message_id, role, text }) => [message_id, role, text]), stored);
    assert.ok(found.every((message) => message.thread === thread));
  }
});

test('a stream is passed on as it came, and its answer is stored once', async () => {
  const chunk = (delta: object, finish: string | null = null) => ({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] });
  const stream = `${events(chunk({ role: 'assistant', content: 'On ' }), chunk({ content: '14 March.' }), chunk({}, 'stop'))}data: [DONE]\n\n`;
  const cut = events(chunk({ content: 'On ' }));
  const { fetch } = provider(cut, stream, stream);
  const client = wrap(new OpenAI({ apiKey: 'k', fetch }), { foxing, bank: 'stream', thread: 's', recall: false });
  for (const words of ['On ', 'On 14 March.', 'On 14 March.']) {
    let said = '';
    for await (const part of await client.chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'When?' }] })) said += part.choices[0]?.delta.content ?? '';
    assert.equal(said, words);
  }
  assert.equal(await flush(client), true);
  assert.deepEqual(await saidIn(foxing, 'stream'), ['user: When?', 'assistant: On 14 March.']);
});

test('an answer of Anthropic in a stream that is left after some words keeps the question', async () => {
  const stream = events({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [] } }, { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'On' } }).replaceAll('event: x', 'event: content_block_delta');
  const { fetch } = provider(stream);
  const client = wrap(new Anthropic({ apiKey: 'k', fetch }), { foxing, bank: 'left', recall: false });
  for await (const part of await client.messages.create({ model: 'm', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'When?' }] })) {
    void part;
    break;
  }
  assert.equal(await flush(client), true);
  assert.deepEqual(await saidIn(foxing, 'left'), ['user: When?']);
});

test('what is remembered is added to the newest message, and stays there byte for byte', async () => {
  await foxing.remember('ana', [{ role: 'user', content: 'We ship Titan on 14 March.', thread: 'before' }]);
  const { fetch, sent } = provider(completion('On 14 March.'), completion('Aye.'));
  const client = wrap(new OpenAI({ apiKey: 'k', fetch }), { foxing, bank: 'ana', thread: 'now', deadlineMs: 60_000 });
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'When do we ship Titan?' }];
  await client.chat.completions.create({ model: 'm', messages });
  assert.match(String(sent[0]?.messages?.[0]?.content), /remembered>[\s\S]*14 March[\s\S]*\n\nWhen do we ship Titan\?$/);
  messages.push({ role: 'assistant', content: 'On 14 March.' }, { role: 'user', content: [{ type: 'text', text: 'Is Titan sure?' }] });
  await flush(client);
  for (let n = 0; n < 2; n++) await client.chat.completions.create({ model: 'm', messages });
  assert.equal(JSON.stringify(sent[1]?.messages?.slice(0, 1)), JSON.stringify(sent[0]?.messages));
  assert.equal(JSON.stringify(sent[2]), JSON.stringify(sent[1]));
  assert.doesNotMatch(JSON.stringify(sent[1]?.messages?.at(-1)), /We ship Titan/, 'it was given before');
  await flush(client);
  assert.deepEqual((await saidIn(foxing, 'ana')).slice(1), ['user: When do we ship Titan?', 'assistant: On 14 March.', 'user: Is Titan sure?', 'assistant: Aye.']);
});

test('a conversation that the provider holds is stored call by call', async () => {
  const said = (text: string) => ({ id: 'r', object: 'response', status: 'completed', output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text, annotations: [] }] }] });
  const { fetch, sent } = provider(said('Yes.'), said('Yes.'));
  const client = wrap(new OpenAI({ apiKey: 'k', fetch }), { foxing, bank: 'held', thread: 'h', recall: false });
  await client.responses.create({ model: 'm', input: 'ok?' });
  await client.responses.create({ model: 'm', input: 'ok?', previous_response_id: 'r' });
  await flush(client);
  assert.equal(sent[0]?.input, 'ok?');
  assert.deepEqual(await saidIn(foxing, 'held'), ['user: ok?', 'assistant: Yes.', 'user: ok?', 'assistant: Yes.']);
});

test('with the service down the model answers, and one warning says so', async () => {
  const warnings: string[] = [];
  const down = new Foxing({ baseUrl: 'http://127.0.0.1:9', retryForMs: 0 });
  const { fetch, sent } = provider(completion('Hello.'));
  const client = wrap(new OpenAI({ apiKey: 'k', fetch }), { foxing: down, bank: 'ana', onWarning: (message) => warnings.push(message) });
  for (let n = 0; n < 3; n++) {
    const answer = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: `Hello ${n}.` }] });
    assert.equal(answer.choices[0]?.message.content, 'Hello.');
  }
  assert.equal(await flush(client), false);
  assert.deepEqual(sent[2]?.messages, [{ role: 'user', content: 'Hello 2.' }]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /the model answers without it: there is no service at/);
});

test('another client is refused', () => {
  assert.throws(() => wrap({}, { foxing, bank: 'ana' }), InvalidInput);
  const client = wrap(new OpenAI({ apiKey: 'k' }), { foxing, bank: 'ana' });
  assert.throws(() => wrap(client, { foxing, bank: 'ana' }), InvalidInput);
});
