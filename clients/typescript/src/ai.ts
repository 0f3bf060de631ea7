import { jsonSchema, tool, type LanguageModelMiddleware, type Tool } from 'ai';
import type { Foxing } from './client.ts';
import { ConversationMemory, jsonOf, type Block, type Item, type MemoryOptions } from './conversation.ts';

type Prompt = Parameters<NonNullable<LanguageModelMiddleware['wrapStream']>>[0]['params']['prompt'];
type StreamPart = { type: string };

/** A middleware of the AI SDK, with `flush`, which waits until all turns are stored. */
export type FoxingMiddleware = LanguageModelMiddleware & { flush(): Promise<boolean> };

/**
 * Returns a middleware of the AI SDK that remembers: what is recalled is added to the newest message of the user, and
 * each turn is stored once, after its answer has ended.
 *
 *     const model = wrapLanguageModel({ model: openai('gpt-5.1'), middleware: foxingMiddleware({ foxing, bank: 'ana' }) });
 */
export function foxingMiddleware(options: MemoryOptions): FoxingMiddleware {
  const memory = new ConversationMemory(options);
  const given = new WeakMap<object, Prompt>(); // prompts as they came
  return {
    specificationVersion: 'v4',
    flush: () => memory.flush(),
    async transformParams({ params, model }) {
      const additions = await memory.additions(params.prompt as Item[]);
      const prompt = params.prompt.map((message, place) => {
        const blocks = additions.get(place);
        const parts = blocks?.map((block) => partOf(block, model.specificationVersion === 'v4'));
        return parts ? { ...message, content: [...parts, ...(message.content as object[])] } : message;
      }) as Prompt;
      const changed = { ...params, prompt };
      given.set(changed, params.prompt);
      return changed;
    },
    async wrapGenerate({ doGenerate, params }) {
      const result = await doGenerate();
      const { content, finishReason } = result;
      void memory.store('ai-sdk', given.get(params) ?? params.prompt, jsonOf({ content, finishReason }));
      return result;
    },
    async wrapStream({ doStream, params }) {
      const result = await doStream();
      const keep = (answer: string) => void memory.store('ai-sdk', given.get(params) ?? params.prompt, answer);
      return { ...result, stream: copied(result.stream as ReadableStream<StreamPart>, keep) as typeof result.stream };
    },
  } as FoxingMiddleware;
}

/** Returns a stream like the given one, and calls `keep` with a copy of its parts as events once it has ended or broken. */
function copied<T extends StreamPart>(stream: ReadableStream<T>, keep: (answer: string) => void): ReadableStream<T> {
  const reader = stream.getReader();
  const events: string[] = [];
  return new ReadableStream<T>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          keep(events.join(''));
          return controller.close();
        }
        if (value.type !== 'raw') events.push(`data: ${jsonOf(value)}\n\n`);
        return controller.enqueue(value);
      } catch (error) {
        keep(events.join(''));
        throw error;
      }
    },
    cancel(reason) {
      keep(events.join(''));
      return reader.cancel(reason);
    },
  });
}

/** `tagged`: whether data of files say what they are, as from version 7 of the AI SDK on. */
function partOf(block: Block, tagged: boolean): object {
  if (block.type === 'text') return { type: 'text', text: block.text };
  return { type: 'file', mediaType: block.media_type, data: tagged ? { type: 'data', data: block.data } : block.data };
}

/** Options of the tools. */
export interface ToolOptions {
  foxing: Foxing;
  bank: string;
  /** Maximum number of tokens of a result. Default: 1,024. */
  budget?: number;
  /** Name of the reader; results hold page images only for one that sees. Default: 'text'. */
  reader?: string;
}

/**
 * Returns tools of the AI SDK: `recall` searches the memory, and its result may hold page images; `fetch` returns the
 * complete messages of references that stand before them.
 */
export function foxingTools({ foxing, bank, budget = 1024, reader = 'text' }: ToolOptions): { recall: Tool<{ query: string }, Block[]>; fetch: Tool<{ refs: string[] }, string> } {
  return {
    recall: tool({
      description: 'Searches what was said in earlier conversations. Messages begin with a reference in brackets.',
      inputSchema: jsonSchema<{ query: string }>({ type: 'object', properties: { query: { type: 'string', description: 'What to look for, in words.' } }, required: ['query'], additionalProperties: false }),
      execute: async ({ query }, { abortSignal }) => {
        const request = { reader, budget, query, refs: true, as: 'blocks' as const };
        const { content } = await foxing.context(bank, request, abortSignal ? { signal: abortSignal } : {});
        return content.length ? (content as Block[]) : [{ type: 'text' as const, text: 'Nothing relevant is remembered.' }];
      },
      toModelOutput: ({ output }) => ({ type: 'content', value: output.map((block) => partOf(block, true)) as never }),
    }),
    fetch: tool({
      description: 'Returns the complete messages of references, such as those before the messages of recall.',
      inputSchema: jsonSchema<{ refs: string[] }>({ type: 'object', properties: { refs: { type: 'array', items: { type: 'string' }, minItems: 1 } }, required: ['refs'], additionalProperties: false }),
      execute: async ({ refs }, { abortSignal }) => {
        const { messages } = await foxing.fetch(bank, refs, abortSignal ? { signal: abortSignal } : {});
        return messages.map(({ role, created_at, text }) => `${created_at} ${role}: ${text}`).join('\n');
      },
    }),
  };
}

export type { MemoryOptions } from './conversation.ts';
