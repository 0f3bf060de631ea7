import { BaseStore, InvalidNamespaceError, getTextAtPath, type Item, type ListNamespacesOperation, type Operation, type OperationResults, type PutOperation, type SearchItem, type SearchOperation } from '@langchain/langgraph-checkpoint';
import type { Foxing, Schemas } from './client.ts';
import { InvalidInput, NotFound } from './errors.ts';

/** Label above the namespaces of items, so that a store reaches no other records of the bank. */
const ROOT = 'langgraph';
const MOST = 500;
const OPERATORS: Record<string, Schemas['Condition']['op']> = { $eq: 'eq', $ne: 'ne', $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' };

type Record_ = Schemas['Record'];
type Write = Schemas['RecordWrites']['writes'][number];
type Search = Schemas['RecordSearch'];

export interface StoreOptions {
  foxing: Foxing;
  bank: string;
  /** Paths of the values that queries search, or false for none. Default: all texts. */
  index?: string[] | false;
}

/**
 * A store of LangGraph in a bank, over the same records as the store of the package for Python. A search with a query
 * returns the items that match, best first with a score, then the others, newest first.
 */
export class FoxingStore extends BaseStore {
  readonly #options: StoreOptions;
  readonly #path: { params: { path: { bank: string } } };

  constructor(options: StoreOptions) {
    super();
    this.#options = options;
    this.#path = { params: { path: { bank: options.bank } } };
  }

  /** Executes operations and returns their results in order. Reads run before writes. */
  override async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    const writes = operations.flatMap((operation) => ('value' in operation ? [this.#write(operation)] : []));
    const results: unknown[] = [];
    for (const operation of operations) {
      if ('value' in operation) results.push(undefined);
      else if ('key' in operation) results.push(await this.#get(operation.namespace, operation.key));
      else if ('namespacePrefix' in operation) results.push(await this.#search(operation));
      else results.push(await this.#namespaces(operation));
    }
    for (let start = 0; start < writes.length; start += MOST) {
      const body = { writes: writes.slice(start, start + MOST) };
      await this.#options.foxing.post('/v1/banks/{bank}/records', { ...this.#path, body });
    }
    return results as OperationResults<Op>;
  }

  #write({ namespace, key, value, index = this.#options.index }: PutOperation): Write {
    if (!namespace.length) throw new InvalidNamespaceError('Namespace cannot be empty.');
    const at = { namespace: [ROOT, ...namespace], key };
    if (value === null) return { op: 'delete', ...at };
    const texts = index === undefined ? undefined : index === false ? [] : index.flatMap((path) => getTextAtPath(value, path));
    return { op: 'put', ...at, value: value as never, ...(texts && { text: texts.join('\n') }) };
  }

  async #get(namespace: string[], key: string): Promise<Item | null> {
    const body = { records: [{ namespace: [ROOT, ...namespace], key }] };
    const found = await orNothing(this.#options.foxing.post('/v1/banks/{bank}/records/get', { ...this.#path, body }));
    const record = found?.records[0];
    return record ? itemOf(record) : null;
  }

  async #search({ namespacePrefix, filter, limit = 10, offset = 0, query }: SearchOperation): Promise<SearchItem[]> {
    const fields: Search = { namespace: [ROOT, ...namespacePrefix], filter: conditions(filter) };
    if (!query?.trim()) return (await this.#records({ ...fields, order: 'updated', offset }, limit)).map(itemOf);
    const found = await this.#records({ ...fields, query: query.slice(0, 10_000) }, offset + limit);
    if (found.length < offset + limit) {
      const known = new Set(found.map(addressOf));
      const others = await this.#records({ ...fields, order: 'updated' }, offset + limit);
      found.push(...others.filter((record) => !known.has(addressOf(record))));
    }
    return found.slice(offset, offset + limit).map(itemOf);
  }

  async #records(fields: Search, most: number): Promise<Record_[]> {
    const records: Record_[] = [];
    for (let cursor: string | null | undefined; records.length < most && cursor !== null; ) {
      const body = { ...fields, limit: Math.min(MOST, most - records.length), ...(cursor && { cursor }) };
      const part = await orNothing(this.#options.foxing.post('/v1/banks/{bank}/records/search', { ...this.#path, body }));
      records.push(...(part?.records ?? []));
      cursor = part?.next_cursor ?? null;
    }
    return records;
  }

  async #namespaces({ matchConditions = [], maxDepth, limit, offset }: ListNamespacesOperation): Promise<string[][]> {
    const all: string[][] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const body = { prefix: [ROOT], limit: MOST, ...(cursor && { cursor }) };
      const part = await orNothing(this.#options.foxing.post('/v1/banks/{bank}/records/namespaces', { ...this.#path, body }));
      all.push(...(part?.namespaces ?? []).map(([, ...labels]) => labels));
      cursor = part?.next_cursor ?? null;
    }
    const matching = all.filter((labels) => matchConditions.every(({ matchType, path }) => matches(matchType === 'prefix' ? labels : labels.slice(-path.length), path)));
    const cut = new Map(matching.map((labels) => labels.slice(0, maxDepth)).map((labels) => [JSON.stringify(labels), labels]));
    return [...cut.values()].slice(offset, offset + limit);
  }
}

function matches(labels: string[], path: string[]): boolean {
  return labels.length >= path.length && path.every((label, place) => label === '*' || label === labels[place]);
}

function conditions(filter: SearchOperation['filter'] = {}): Schemas['Condition'][] {
  return Object.entries(filter).flatMap(([member, wanted]: [string, unknown]) => {
    if (wanted === null || typeof wanted !== 'object' || Array.isArray(wanted)) return [{ member, op: 'eq' as const, value: wanted as never }];
    return Object.entries(wanted).map(([operator, value]) => {
      const op = OPERATORS[operator];
      if (!op) throw new InvalidInput(`filter.${member}: '${operator}' is not an operator; the operators are ${Object.keys(OPERATORS).join(', ')}`);
      return { member, op, value: value as never };
    });
  });
}

function itemOf({ value, key, namespace, created_at, updated_at, score }: Record_): SearchItem {
  const item = { value: value as Item['value'], key, namespace: namespace.slice(1), createdAt: new Date(created_at), updatedAt: new Date(updated_at) };
  return score == null ? item : { ...item, score };
}

function addressOf({ namespace, key }: Record_): string {
  return JSON.stringify([namespace, key]);
}

/** Returns undefined where the bank does not exist yet. */
async function orNothing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}
