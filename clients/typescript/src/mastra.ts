import type { Processor } from '@mastra/core/processors';
import { ConversationMemory, type Item, type MemoryOptions } from './conversation.ts';

type Request = Parameters<NonNullable<Processor['processLLMRequest']>>[0];
type Result = Parameters<NonNullable<Processor['processOutputResult']>>[0];

/**
 * A processor of Mastra that remembers: what is recalled is added to what the model is sent, not to what Mastra keeps,
 * and the new messages of a run are stored at its end.
 *
 *     const memory = new FoxingProcessor({ foxing, bank: 'ana' });
 *     new Agent({ …, inputProcessors: [memory], outputProcessors: [memory] });
 */
export class FoxingProcessor implements Processor<'foxing'> {
  readonly id = 'foxing';
  readonly #memory: ConversationMemory;

  constructor(options: MemoryOptions) {
    this.#memory = new ConversationMemory(options);
  }

  /** Adds what is remembered to the prompt. */
  async processLLMRequest({ prompt, messageList }: Request): Promise<{ prompt: Request['prompt'] }> {
    if (messageList) this.#store(messageList);
    const additions = await this.#memory.additions(prompt as Item[]);
    const changed = prompt.map((message, place) => {
      const parts = additions.get(place)?.map((block) => (block.type === 'text' ? block : { type: 'file', mediaType: block.media_type, data: block.data }));
      return parts ? { ...message, content: [...parts, ...(message.content as object[])] } : message;
    });
    return { prompt: changed as Request['prompt'] };
  }

  /** Stores the messages of the run. */
  processOutputResult({ messages, messageList }: Result): Result['messages'] {
    this.#store(messageList);
    return messages;
  }

  /** Waits until all turns are stored, and returns whether they are. */
  flush(): Promise<boolean> {
    return this.#memory.flush();
  }

  /** A run is a session of its own, named by its first message, since Mastra may show the model only the last ones. */
  #store(messageList: Result['messageList']): void {
    const [first] = messageList.get.input.db();
    const said = [...messageList.get.input.aiV5.model(), ...messageList.get.response.aiV5.model()];
    void this.#memory.store('ai-sdk', said, undefined, { session: first?.id, of: first?.threadId });
  }
}

export type { MemoryOptions } from './conversation.ts';
