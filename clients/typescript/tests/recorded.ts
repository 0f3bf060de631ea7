// The recorded sessions and messages of the tests in Python, what Python's wrap stores of them, and how they go through
// the entries of the package.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { wrapLanguageModel } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import OpenAI from 'openai';
import { foxingMiddleware, type MemoryOptions } from '../src/ai.ts';
import { flush, wrap } from '../src/wrap.ts';

type Json = Record<string, any>;

export interface RecordedSession {
  thread: string;
  provider: 'anthropic' | 'openai' | 'openai-responses';
  calls: { path: string; body: Json; answer: Json }[];
  stored: [id: string, role: string, text: string][];
}

const PYTHON = fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));

export async function recordedSessions(): Promise<RecordedSession[]> {
  const env = { ...process.env, FOXING_EMBEDDER: 'none' };
  const { stdout } = await promisify(execFile)(PYTHON, [fileURLToPath(new URL('recorded.py', import.meta.url))], { env, maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as RecordedSession[];
}

/** Has a session with a wrapped client, and returns whether its turns are stored. */
export async function throughWrap({ calls }: Pick<RecordedSession, 'calls'>, options: MemoryOptions): Promise<boolean> {
  let next: Json = {};
  const answer = () => Promise.resolve(Response.json(next));
  const plain = calls[0]?.path === '/v1/messages' ? new Anthropic({ apiKey: 'k', fetch: answer }) : new OpenAI({ apiKey: 'k', baseURL: 'http://upstream/v1', fetch: answer });
  const client = wrap(plain, options);
  for (const { path, body, answer } of calls) {
    next = answer;
    await client.post(path, { body });
  }
  return flush(client);
}

/** Has a session with a model of the AI SDK, and returns whether its turns are stored. */
export async function throughAiSdk({ calls }: Pick<RecordedSession, 'calls'>, options: MemoryOptions): Promise<boolean> {
  const memory = foxingMiddleware(options);
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  for (const call of calls) {
    const { prompt, content } = converted(call);
    const model = new MockLanguageModelV4({ doGenerate: async () => ({ content, finishReason: { unified: 'stop', raw: undefined }, usage, warnings: [] }) as never });
    await wrapLanguageModel({ model, middleware: memory }).doGenerate({ prompt: prompt as never });
  }
  return memory.flush();
}

/** The request of a recorded call as a prompt of the AI SDK, and its answer as the content of a result. */
function converted({ body, answer }: { body: Json; answer: Json }): { prompt: Json[]; content: Json[] } {
  const instructions = body['system'] ? [{ role: 'system', content: body['system'] }] : [];
  const messages = promptOf((body['messages'] ?? body['input']) as Json[]);
  const content = promptOf((answer['output'] ?? [answer]) as Json[]).flatMap((message) => message['content'] as Json[]);
  const inputs = content.map((part) => (part['type'] === 'tool-call' ? { ...part, input: JSON.stringify(part['input']) } : part));
  return { prompt: [...instructions, ...messages], content: inputs };
}

/** Messages of a provider as those of the AI SDK. */
export function promptOf(messages: Json[]): Json[] {
  const names = new Map<string, string>();
  const call = (id: string, toolName: string, input: unknown) => (names.set(id, toolName), { type: 'tool-call', toolCallId: id, toolName, input });
  const result = (id: string, value: string) => ({ type: 'tool-result', toolCallId: id, toolName: names.get(id) ?? 'tool', output: { type: 'text', value } });
  return messages.flatMap((given): Json[] => {
    if (given['type'] === 'function_call') return [{ role: 'assistant', content: [call(given['call_id'], given['name'], JSON.parse(given['arguments']))] }];
    if (given['type'] === 'function_call_output') return [{ role: 'tool', content: [result(given['call_id'], given['output'])] }];
    if (given['type'] === 'reasoning') return [];
    const blocks: Json[] = typeof given['content'] === 'string' ? [{ type: 'text', text: given['content'] }] : (given['content'] ?? []);
    const parts = blocks.map((block) => {
      if (block['type'] === 'tool_use') return call(block['id'], block['name'], block['input']);
      if (block['type'] === 'tool_result') return result(block['tool_use_id'], block['content']);
      return block['type'] === 'thinking' ? { type: 'reasoning', text: block['thinking'] } : { type: 'text', text: block['text'] };
    });
    if (given['role'] === 'system' || given['role'] === 'developer') return blocks.map(({ text }) => ({ role: 'system', content: text as string }));
    if (given['role'] === 'tool') return [{ role: 'tool', content: [result(given['tool_call_id'], blocks.map(({ text }) => text as string).join('\n'))] }];
    const calls = ((given['tool_calls'] ?? []) as Json[]).map(({ id, function: { name, arguments: input } }) => call(id, name, JSON.parse(input)));
    if (given['role'] === 'assistant') return [{ role: 'assistant', content: [...parts, ...calls] }];
    const results = parts.filter(({ type }) => type === 'tool-result');
    const said = parts.filter(({ type }) => type !== 'tool-result');
    return [...(results.length ? [{ role: 'tool', content: results }] : []), ...(said.length ? [{ role: 'user', content: said }] : [])];
  });
}

/** Types of blocks and items that the AI SDK has as well, and members of messages with words that it has not. */
const SHARED = ['message', 'function_call', 'function_call_output', 'text', 'input_text', 'output_text', 'tool_use', 'tool_result', 'thinking', 'function'];
const OWN = ['refusal', 'function_call', 'audio', 'name', 'namespace', 'citations', 'annotations', 'is_error', 'phase'];

/** Whether a message of a provider can be one of the AI SDK, with all that it says. */
export function isShared(message: Json): boolean {
  const isOne = (given: Json): boolean => SHARED.includes(given['type'] ?? 'message') && OWN.every((name) => given[name] == null || given['type'] === 'function_call' || given['type'] === 'tool_use');
  if (message['type'] === 'function_call_output') return typeof message['output'] === 'string' && !message['name'];
  const { content = [], tool_calls: calls = [] } = message;
  const blocks: Json[] = typeof content === 'string' ? [] : (content ?? []);
  const isPlain = blocks.every((block) => isOne(block) && (block['type'] !== 'tool_result' || typeof block['content'] === 'string'));
  const isMessage = (message['role'] && message['role'] !== 'function') || message['type'] === 'function_call';
  return isOne(message) && isMessage && isPlain && (calls as Json[]).every(isOne);
}
