import type { Foxing, Message, Schemas } from './client.ts';
import { FoxingError } from './errors.ts';

/** Format of the messages of a conversation. */
export type Provider = NonNullable<Schemas['StoreRequest']['provider']>;

/** A message as it goes to a model. */
export type Item = { role?: string | undefined; content?: unknown };

/** A text or an image, independent of providers. */
export type Block = { type: 'text'; text: string } | { type: 'image'; media_type: string; data: string };

/** Options of a memory of conversations. */
export interface MemoryOptions {
  /** Client of the service. */
  foxing: Foxing;
  /** Name of the bank. */
  bank: string;
  /** Id of the session, and thread of its turns. Default: it follows from the first words of the conversation. */
  thread?: string;
  /** Whether to add what is remembered to the newest message of the user. Default: true. */
  recall?: boolean;
  /** Whether to store the turns. Default: true. */
  remember?: boolean;
  /** Maximum number of tokens of what is added to a message, as the reader bills them. Default: 1,024. */
  budget?: number;
  /** Name of the reader; page images are added only for one that sees. Default: 'text'. */
  reader?: string;
  /** Minimum relevance of the best match. Default: that of the service. */
  minRelevance?: number;
  /** Maximum delay of a call of the model. Default: 1,000. */
  deadlineMs?: number;
  /** Is told once that the service fails, and again after it has worked. Default: console.warn. */
  onWarning?: (message: string) => void;
}

/** What is added to a message. */
interface Addition {
  blocks: Block[];
  ids: string[];
}

/** Number of messages of which the additions are kept, so that they stay the same from call to call. */
const MOST_KEPT = 1_000;
/** Time for which a service that failed is not asked. */
const REST_MS = 2_000;
const NOTHING: Addition = { blocks: [], ids: [] };

/** The memory of conversations that pass through a program. Nothing of it throws, so that the model always answers. */
export class ConversationMemory {
  readonly options: MemoryOptions;
  readonly #additions = new Map<string, Promise<Addition>>();
  #stored: Promise<boolean> = Promise.resolve(true);
  #restUntil = 0;
  #warned = false;

  constructor(options: MemoryOptions) {
    this.options = options;
  }

  /**
   * Returns what is added to each message, by place. A message keeps what it got when it was new; only the last one is
   * asked for.
   */
  async additions(items: readonly Item[]): Promise<Map<number, Block[]>> {
    const found = new Map<number, Block[]>();
    if (this.options.recall === false) return found;
    const ids: string[] = [];
    for (const [place, item] of items.entries()) {
      if (item.role !== 'user') continue;
      const key = `${place} ${jsonOf(items[place - 1] ?? null)} ${jsonOf(item)}`;
      const known = this.#additions.get(key) ?? (place === items.length - 1 ? this.#keep(key, this.#ask(items, [...ids])) : undefined);
      const addition = (await known) ?? NOTHING;
      ids.push(...addition.ids);
      if (addition.blocks.length) found.set(place, addition.blocks);
    }
    return found;
  }

  /**
   * Stores the turns of a conversation and of the answer to it, after those of earlier calls. `answer`: its body, or
   * undefined if it broke. `session`, `of`: its session and thread, by default those of the options. `whole`: whether the conversation is there from its beginning; else each call is new.
   */
  store(provider: Provider, items: readonly unknown[], answer?: string, { session, of, whole = true }: { session?: string | undefined; of?: string | undefined; whole?: boolean } = {}): Promise<boolean> {
    const { foxing, bank, thread = of, remember = true } = this.options;
    if (!remember || !items.length) return this.#stored;
    const messages = JSON.parse(jsonOf(items)) as Message[]; // what it is now, whatever the program does with it
    const fields = { provider, ...(answer !== undefined && { answer }), ...(thread !== undefined && { thread }), ...(whole && { session: session ?? thread ?? 'auto' }) };
    this.#stored = this.#stored.then(async (others) => {
      try {
        await foxing.remember(bank, messages, fields);
        this.#warned = false;
        return others;
      } catch (error) {
        this.#warn('a turn was not stored', error);
        return false;
      }
    });
    return this.#stored;
  }

  /** Waits until the turns of all calls are stored, and returns whether they are. */
  async flush(): Promise<boolean> {
    const stored = await this.#stored;
    this.#stored = Promise.resolve(true);
    return stored;
  }

  #keep(key: string, addition: Promise<Addition>): Promise<Addition> {
    this.#additions.set(key, addition);
    const [oldest] = this.#additions.keys();
    if (this.#additions.size > MOST_KEPT && oldest !== undefined) this.#additions.delete(oldest);
    return addition;
  }

  async #ask(items: readonly Item[], omit: string[]): Promise<Addition> {
    const { foxing, bank, thread, budget = 1024, reader = 'text', minRelevance, deadlineMs = 1_000 } = this.options;
    if (Date.now() < this.#restUntil) return NOTHING;
    const request: Schemas['ContextRequest'] = {
      ...{ reader, budget, omit, as: 'blocks', messages: JSON.parse(jsonOf(items)) as Record<string, never>[] },
      ...(thread !== undefined && { thread }),
      ...(minRelevance !== undefined && { min_relevance: minRelevance }),
    };
    try {
      const { content, message_ids: ids } = await foxing.context(bank, request, { signal: AbortSignal.timeout(deadlineMs) });
      return { blocks: content as Block[], ids };
    } catch (error) {
      this.#restUntil = Date.now() + REST_MS;
      this.#warn('nothing was recalled', error);
      return NOTHING;
    }
  }

  #warn(what: string, error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const reason = error instanceof FoxingError ? error.message : `the service at ${this.options.foxing.baseUrl} did not respond in time`;
    (this.options.onWarning ?? ((message) => console.warn(message)))(`foxing: ${what}, and the model answers without it: ${reason}`);
  }
}

/** Returns the text of blocks. */
export function textOf(blocks: readonly Block[]): string {
  return blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n\n');
}

/** Returns a value as JSON, bytes in Base64. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? base64Of(inner) : inner));
}

function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 8_192) text += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  return btoa(text);
}
