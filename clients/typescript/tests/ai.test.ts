import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateText, isStepCount, jsonSchema, streamText, tool, wrapLanguageModel, type LanguageModel } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { generateText as generateText6, wrapLanguageModel as wrapLanguageModel6 } from 'ai6';
import { MockLanguageModelV3 } from 'ai6/test';
import { foxingMiddleware, foxingTools } from '../src/ai.ts';
import { Foxing } from '../src/index.ts';
import { isShared, promptOf, recordedSessions, throughAiSdk } from './recorded.ts';
import { messagesOf, saidIn, startService } from './service.ts';

const [foxing, recorded] = await Promise.all([startService(), recordedSessions()]);

type Json = Record<string, any>;
type Streamed = Awaited<ReturnType<MockLanguageModelV4['doStream']>>;
type Generated = Awaited<ReturnType<MockLanguageModelV4['doGenerate']>>;

const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
const CALL = 'call_00000000000000000001';

function finish(reason: string): Json {
  return { type: 'finish', usage, finishReason: { unified: reason, raw: undefined } };
}
function words(text: string): Json[] {
  const deltas = text.split(/(?<= )/).map((delta) => ({ type: 'text-delta', id: '1', delta }));
  return [{ type: 'stream-start', warnings: [] }, { type: 'text-start', id: '1' }, ...deltas, { type: 'text-end', id: '1' }];
}
const calls: Json[] = [...words('I look.'), { type: 'tool-call', toolCallId: CALL, toolName: 'berth', input: '{"ship":"Titan"}' }, finish('tool-calls')];
const answers: Json[] = [...words('At berth 3.'), finish('stop')];

function streamOf(parts: Json[], signal?: AbortSignal): Streamed {
  let place = 0;
  const stream = new ReadableStream({
    pull(controller) {
      const part = parts[place++];
      if (part === undefined) return controller.close();
      if (part['type'] !== 'hang') return controller.enqueue(part);
      return new Promise<void>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    },
  });
  return { stream } as Streamed;
}

/** A model that gives one stream after the other; one that is an error is thrown. */
function streaming(...streams: (Json[] | Error)[]): MockLanguageModelV4 {
  let number = 0;
  return new MockLanguageModelV4({
    doStream: async ({ abortSignal }) => {
      const next = streams[number++] ?? [];
      if (next instanceof Error) throw next;
      return streamOf(next, abortSignal);
    },
  });
}

const berth = tool({ inputSchema: jsonSchema<{ ship: string }>({ type: 'object' }), execute: () => ({ at: 3 }) });
const TURNS = ['user: Where is Titan?', 'assistant: I look.', `assistant: △ berth ${CALL} {"ship":"Titan"}`, `tool: ▽ ${CALL}\n{"at":3}`, 'assistant: At berth 3.'];

test('a stream with tools, aborted, retried and run twice, stores each turn once', async () => {
  const retried = Object.assign(new Error('busy'), { isRetryable: true, statusCode: 503, [Symbol.for('vercel.ai.error')]: true, [Symbol.for('vercel.ai.error.AI_APICallError')]: true });
  const model = streaming([...words('I lo'), { type: 'hang' }], retried, calls, answers, calls, answers);
  const memory = foxingMiddleware({ foxing, bank: 'stream', thread: 's' });
  const wrapped = wrapLanguageModel({ model, middleware: memory });
  const options = { model: wrapped, prompt: 'Where is Titan?', tools: { berth }, stopWhen: isStepCount(3), onError: () => undefined };
  const controller = new AbortController();
  const aborted = streamText({ ...options, abortSignal: controller.signal });
  for await (const part of aborted.stream) if (part.type === 'text-delta') controller.abort();
  for (let run = 0; run < 2; run++) assert.equal(await streamText(options).text.then((text) => text.slice(-11)), 'At berth 3.');
  assert.equal(await memory.flush(), true);
  assert.deepEqual(await saidIn(foxing, 'stream'), TURNS);
});

test('the prompt is the same byte for byte from call to call', async () => {
  await foxing.remember('ana', [{ role: 'user', content: 'We ship Titan on 14 March.', thread: 'before' }]);
  const model = streaming(answers, answers, answers, answers);
  const memory = foxingMiddleware({ foxing, bank: 'ana', thread: 'now', deadlineMs: 60_000 });
  const wrapped = wrapLanguageModel({ model, middleware: memory });
  const asked = [{ role: 'user' as const, content: 'When do we ship Titan?' }];
  for (let n = 0; n < 2; n++) await streamText({ model: wrapped, messages: asked }).text;
  const next = [...asked, { role: 'assistant' as const, content: 'At berth 3.' }, { role: 'user' as const, content: 'Is Titan sure?' }];
  for (let n = 0; n < 2; n++) await streamText({ model: wrapped, messages: next }).text;
  const [first, again, third, fourth] = model.doStreamCalls.map(({ prompt }) => prompt);
  assert.match(JSON.stringify(first), /remembered>.*14 March/);
  assert.equal(JSON.stringify(again), JSON.stringify(first));
  assert.equal(JSON.stringify(third?.slice(0, 1)), JSON.stringify(first));
  assert.equal(JSON.stringify(fourth), JSON.stringify(third));
  await memory.flush();
  assert.deepEqual((await saidIn(foxing, 'ana')).slice(1), ['user: When do we ship Titan?', 'assistant: At berth 3.', 'user: Is Titan sure?', 'assistant: At berth 3.']);
});

test('with the service down the model answers, and one warning says so', async () => {
  const warnings: string[] = [];
  const down = new Foxing({ baseUrl: 'http://127.0.0.1:9', retryForMs: 0 });
  const memory = foxingMiddleware({ foxing: down, bank: 'ana', onWarning: (message) => warnings.push(message) });
  const model = wrapLanguageModel({ model: streaming(answers, answers), middleware: memory });
  for (let n = 0; n < 2; n++) assert.equal(await streamText({ model, prompt: 'Where?' }).text, 'At berth 3.');
  assert.equal(await memory.flush(), false);
  assert.equal(warnings.length, 1);
});

/** Arguments of a call as OpenAI sends them, a text; the AI SDK has their value. */
const QUOTED = /'(\{.*\})$/;

test('recorded sessions are stored as by the wrap of Python', async () => {
  for (const session of recorded.filter(({ thread }) => !thread.startsWith('messages:'))) {
    const bank = `ai-${session.thread}`;
    assert.equal(await throughAiSdk(session, { foxing, bank, thread: session.thread, recall: false }), true);
    assert.deepEqual((await messagesOf(foxing, bank)).map(({ message_id, role, text }) => [message_id, role, text]), session.stored.map(([id, role, text]) => [id, role, text.replace(QUOTED, (_, json: string) => JSON.stringify(JSON.parse(json)))]));
  }
});

test('recorded messages that the AI SDK can hold are stored as those of their provider', async (t) => {
  for (const { thread, provider, calls: [call] } of recorded.filter(({ thread }) => thread.startsWith('messages:'))) {
    const messages = ((call?.body['messages'] ?? call?.body['input']) as Json[]).filter(isShared);
    const memory = foxingMiddleware({ foxing, bank: `ai-${provider}`, thread, recall: false });
    const answered = new MockLanguageModelV4({ doGenerate: async () => ({ content: [], finishReason: { unified: 'stop', raw: undefined }, usage, warnings: [] }) as unknown as Generated });
    await wrapLanguageModel({ model: answered, middleware: memory }).doGenerate({ prompt: promptOf(messages) as never });
    assert.equal(await memory.flush(), true);
    await foxing.remember(provider, messages as never, { provider, session: thread, thread });
    const turns = (found: { message_id?: string | null | undefined; role: string; text: string }[]) =>
      // a call whose id is too short to be unique is named by its arguments, a text here and a value there
      found.map(({ message_id, role, text }) => [/^△ .*\bcall_id_1 /.test(text) ? '' : message_id, role, text.replace(QUOTED, (_, json: string) => JSON.stringify(JSON.parse(json)))]);
    const wanted = turns(await messagesOf(foxing, provider));
    t.diagnostic(`${provider}: ${messages.length} messages, ${wanted.length} turns`);
    assert.deepEqual(turns(await messagesOf(foxing, `ai-${provider}`)), wanted);
  }
});

test('version 6 of the AI SDK has the same memory', async () => {
  const model = new MockLanguageModelV3({ doGenerate: async () => ({ content: [{ type: 'text', text: 'At berth 3.' }], finishReason: { unified: 'stop', raw: undefined }, usage, warnings: [] }) as never });
  const memory = foxingMiddleware({ foxing, bank: 'six', thread: 's' });
  const wrapped = wrapLanguageModel6({ model, middleware: memory as never });
  const { text } = await generateText6({ model: wrapped, messages: [{ role: 'user', content: [{ type: 'text', text: 'Where?' }, { type: 'file', mediaType: 'text/plain', data: new Uint8Array([65]) }] }] });
  assert.equal(text, 'At berth 3.');
  await memory.flush();
  assert.deepEqual(await saidIn(foxing, 'six'), ['user: Where?\n[file: text/plain]', 'assistant: At berth 3.']);
});

test('the model can look for itself, and is given page images', async () => {
  const said = Array.from({ length: 60 }, (_, n) => ({ role: 'user' as const, content: `Titan has pump ${n} at berth ${n % 7}, which Mina checked twice this week.`, created_at: new Date(Date.UTC(2026, 0, 5, 9, n)).toISOString() }));
  await foxing.remember('tools', said);
  await foxing.post('/v1/banks/{bank}/seal', { params: { path: { bank: 'tools' } } });
  const tools = foxingTools({ foxing, bank: 'tools', reader: 'claude-fable-5', budget: 1500 });
  const asks = (name: string, input: object): Generated => ({ content: [{ type: 'tool-call', toolCallId: CALL, toolName: name, input: JSON.stringify(input) }], finishReason: { unified: 'tool-calls', raw: undefined }, usage, warnings: [] }) as unknown as Generated;
  const [{ ref } = { ref: '' }] = (await foxing.recall('tools', 'pump 41')).spans;
  const plan = [asks('recall', { query: 'pump 41' }), asks('fetch', { refs: [ref] }), { ...asks('x', {}), content: [{ type: 'text', text: 'Berth 6.' }], finishReason: { unified: 'stop', raw: undefined } } as Generated];
  const model = new MockLanguageModelV4({ doGenerate: plan });
  await generateText({ model: model as LanguageModel, prompt: 'Where is pump 41?', tools, stopWhen: isStepCount(4) });
  const results = model.doGenerateCalls.at(-1)?.prompt.flatMap((message) => (message.role === 'tool' ? message.content : [])) as Json[];
  assert.equal(results[0]?.['output'].type, 'content');
  const kinds = new Set(results[0]?.['output'].value.map(({ type }: Json) => type));
  assert.ok(kinds.has('file'), JSON.stringify([...kinds]));
  assert.match(JSON.stringify(results[1]?.['output']), /pump 41 at berth 6/);
});
