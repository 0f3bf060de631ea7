import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '@mastra/core/agent';
import { createTool } from '@mastra/core/tools';
import { MockLanguageModelV3 } from 'ai6/test';
import { Foxing } from '../src/index.ts';
import { FoxingProcessor } from '../src/mastra.ts';
import { saidIn, startService } from './service.ts';

const foxing = await startService();
const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
const CALL = 'call_00000000000000000001';
const end = (unified: string) => ({ type: 'finish', usage, finishReason: { unified, raw: undefined } });
const words = (text: string) => [{ type: 'stream-start', warnings: [] }, { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: text }, { type: 'text-end', id: '1' }];
const answer = (text: string) => [...words(text), end('stop')];

function model(...streams: object[][]): MockLanguageModelV3 {
  let number = 0;
  return new MockLanguageModelV3({
    doStream: async () => {
      const parts = streams[Math.min(number++, streams.length - 1)] ?? [];
      return { stream: new ReadableStream({ start: (controller) => (parts.forEach((part) => controller.enqueue(part)), controller.close()) }) } as never;
    },
  });
}

function agent(processor: FoxingProcessor, given: MockLanguageModelV3): Agent {
  const berth = createTool({ id: 'berth', description: 'Berth of a ship.', execute: async () => ({ at: 3 }) });
  return new Agent({ id: 'harbour', name: 'harbour', instructions: 'Be brief.', model: given as never, tools: { berth }, inputProcessors: [processor], outputProcessors: [processor] });
}

async function said(speaker: Agent, prompt: string): Promise<string> {
  return (await speaker.stream(prompt)).text;
}

test('a run of an agent with a tool is stored once, with what is remembered in its prompt', async () => {
  await foxing.remember('ana', [{ role: 'user', content: 'Titan is the ship of Mina.', thread: 'before' }]);
  const processor = new FoxingProcessor({ foxing, bank: 'ana', thread: 'now', deadlineMs: 60_000 });
  const call = [...words('I look.'), { type: 'tool-call', toolCallId: CALL, toolName: 'berth', input: '{}' }, end('tool-calls')];
  const mock = model(call, answer('At berth 3.'));
  assert.equal((await said(agent(processor, mock), 'Where is Titan?')).slice(-11), 'At berth 3.');
  assert.equal(await processor.flush(), true);
  const [first, second] = mock.doStreamCalls.map(({ prompt }) => JSON.stringify(prompt.slice(0, 2)));
  assert.match(first ?? '', /remembered>.*ship of Mina.*Where is Titan\?/);
  assert.equal(second, first);
  assert.deepEqual((await saidIn(foxing, 'ana')).slice(1), ['user: Where is Titan?', 'assistant: I look.', `assistant: △ berth ${CALL} {}`, `tool: ▽ ${CALL}\n{"at":3}`, 'assistant: At berth 3.']);
});

test('the same words in another run are other turns', async () => {
  const processor = new FoxingProcessor({ foxing, bank: 'twice', thread: 't', recall: false });
  const mina = agent(processor, model(answer('Aye.')));
  for (let n = 0; n < 2; n++) await said(mina, 'ok');
  await processor.flush();
  assert.deepEqual(await saidIn(foxing, 'twice'), ['user: ok', 'assistant: Aye.', 'user: ok', 'assistant: Aye.']);
});

test('with the service down the model answers, and one warning says so', async () => {
  const warnings: string[] = [];
  const down = new Foxing({ baseUrl: 'http://127.0.0.1:9', retryForMs: 0 });
  const processor = new FoxingProcessor({ foxing: down, bank: 'ana', onWarning: (message) => warnings.push(message) });
  assert.equal(await said(agent(processor, model(answer('Aye.'))), 'ok'), 'Aye.');
  assert.equal(await processor.flush(), false);
  assert.equal(warnings.length, 1);
});
