import { ConversationMemory, textOf, type Block, type Item, type MemoryOptions, type Provider } from './conversation.ts';
import { InvalidInput } from './errors.ts';

/** Ends of the paths of conversations → format, and member of the request with the messages. */
const PATHS: [end: string, provider: Provider, member: string][] = [
  ['/chat/completions', 'openai', 'messages'],
  ['/responses', 'openai-responses', 'input'],
  ['/messages', 'anthropic', 'messages'],
];
/** Members by which a request goes on with what the provider holds. */
const HELD = ['previous_response_id', 'conversation'];

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
/** A client of the SDK of OpenAI or Anthropic. */
interface SdkClient {
  withOptions(options: { fetch: Fetch }): unknown;
}

const memories = new WeakMap<object, ConversationMemory>();

/**
 * Returns a client of the same type and options that remembers: each turn is stored once, and what is recalled is added
 * to the newest message of the user.
 *
 *     const client = wrap(new OpenAI(), { foxing, bank: 'ana' });
 */
export function wrap<C extends object>(client: C, options: MemoryOptions): C {
  if (!('withOptions' in client)) throw new InvalidInput('this client cannot be wrapped; pass new OpenAI() or new Anthropic()');
  if (memories.has(client)) throw new InvalidInput('this client is wrapped already; pass the client that it was made of');
  const memory = new ConversationMemory(options);
  const own = (client as { fetch?: unknown }).fetch;
  const send = (typeof own === 'function' ? own : globalThis.fetch) as Fetch;
  const wrapped = (client as unknown as SdkClient).withOptions({ fetch: (input, init) => sendRemembering(memory, send, input, init) }) as C;
  memories.set(wrapped, memory);
  return wrapped;
}

/** Waits until all turns of a wrapped client are stored, and returns whether they are. */
export async function flush(client: object): Promise<boolean> {
  const memory = memories.get(client);
  if (!memory) throw new InvalidInput('this client is not wrapped; pass the result of wrap');
  return memory.flush();
}

async function sendRemembering(memory: ConversationMemory, send: Fetch, input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { pathname } = new URL(input instanceof Request ? input.url : input);
  const [, provider, member] = PATHS.find(([end]) => pathname.endsWith(end)) ?? [];
  const request = provider && typeof init.body === 'string' ? (parsed(init.body) as Record<string, unknown> | undefined) : undefined;
  const sent = request?.[member ?? ''];
  if (!provider || !member || !request || !(typeof sent === 'string' || Array.isArray(sent))) return send(input, init);
  const items: Item[] = typeof sent === 'string' ? [{ role: 'user', content: sent }] : (sent as Item[]);
  const additions = answersTool(items.at(-1)) ? new Map<number, Block[]>() : await memory.additions(items);
  const changed = items.map((item, place) => withText(item, textOf(additions.get(place) ?? []), provider));
  const body = additions.size ? JSON.stringify({ ...request, [member]: changed }) : init.body;
  const response = await send(input, { ...init, ...(body != null && { body }) });
  if (!response.ok || !response.body) return response;
  const instructions = request['system'] ?? request['instructions'];
  const said = [...(instructions ? [{ role: 'system', content: instructions }] : []), ...items];
  const whole = HELD.every((name) => request[name] == null);
  return copied(response, (answer) => void memory.store(provider, said, answer, { whole }));
}

/** Returns whether a message holds results of tools, to which nothing may be added. */
function answersTool(item: Item | undefined): boolean {
  return Array.isArray(item?.content) && item.content.some((block: { type?: string }) => block.type === 'tool_result');
}

function withText(item: Item, text: string, provider: Provider): Item {
  if (!text) return item;
  if (!Array.isArray(item.content)) return { ...item, content: `${text}\n\n${String(item.content)}` };
  return { ...item, content: [{ type: provider === 'openai-responses' ? 'input_text' : 'text', text }, ...(item.content as unknown[])] };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Returns a response like the given one, and calls `keep` with a copy of its body once that has ended or broken. */
function copied(response: Response, keep: (answer: string) => void): Response {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const part = await reader?.read();
        if (!part || part.done) {
          keep(text + decoder.decode());
          return controller.close();
        }
        text += decoder.decode(part.value, { stream: true });
        return controller.enqueue(part.value);
      } catch (error) {
        keep(text);
        throw error;
      }
    },
    cancel(reason) {
      keep(text);
      return reader?.cancel(reason);
    },
  });
  const { status, statusText, headers, url } = response;
  return Object.defineProperty(new Response(body, { status, statusText, headers }), 'url', { value: url });
}

export type { MemoryOptions } from './conversation.ts';
