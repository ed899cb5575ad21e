import type { IEvent, IRangeResponse, KVClient } from 'etcd3';
import type {
  Storage,
  StorageEvent,
  StorageEvents,
  StorageList,
  StorageListOptions,
  StoredEntry,
  WriteResult,
} from '../ports/storage.ts';
import { createEtcdClient } from './client.ts';
import type { EtcdClient, EtcdOptions } from './client.ts';
import { prefixRange } from './keys.ts';
import { watchRange } from './watch.ts';
import { createWriter, storedEntry } from './write.ts';
import type { Writer } from './write.ts';

export type { EtcdOptions } from './client.ts';

/**
 * The Storage port on etcd (3.4 or newer). Besides the callers' keys it keeps `.hostler/fence` and 256 keys below
 * `.hostler/write/` (write.ts), which sort before every key that begins with `/`. Values may have 1.5 MiB if etcd runs
 * with --max-request-bytes of 2 MiB, as the embedded one does; by etcd's own default, about 1 KiB less.
 */
export function createEtcdStorage(options: EtcdOptions): Storage {
  return new EtcdStorage(createEtcdClient(options));
}

/** Keys per reply when a whole prefix is read. */
const pageSize = 500;

class EtcdStorage implements Storage {
  readonly #client: EtcdClient;
  readonly #writer: Writer;
  #floor: Promise<unknown> | undefined;

  constructor(client: EtcdClient) {
    this.#client = client;
    this.#writer = createWriter(client);
  }

  async get(key: string, signal?: AbortSignal): Promise<{ entry?: StoredEntry; revision: number }> {
    const reply = await this.#range(`read ${key}`, { key: Buffer.from(key) }, signal);
    const kv = reply.kvs[0];
    return { ...(kv && { entry: storedEntry(kv) }), revision: Number(reply.header.revision) };
  }

  async list(prefix: string, options: StorageListOptions = {}, signal?: AbortSignal): Promise<StorageList> {
    const { key, rangeEnd } = prefixRange(prefix);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const entries: StoredEntry[] = [];
    let start = options.after === undefined ? key : after(options.after);
    let revision = options.revision;
    let count: number | undefined;
    for (;;) {
      const reply = await this.#range(
        `list ${prefix}`,
        {
          key: start,
          range_end: rangeEnd,
          limit: Math.min(pageSize, limit - entries.length),
          ...(revision !== undefined && { revision }),
        },
        signal,
      );
      revision ??= Number(reply.header.revision);
      count ??= Number(reply.count);
      for (const kv of reply.kvs) entries.push(storedEntry(kv));
      const last = entries.at(-1);
      if (!reply.more || !last || entries.length >= limit)
        return { entries, revision, more: reply.more, count };
      start = after(last.key);
    }
  }

  async put(
    key: string,
    value: Buffer,
    expectedModRevision: number,
    signal?: AbortSignal,
  ): Promise<WriteResult> {
    await this.#knowFloor();
    return this.#writer.write({ key, value, expectedModRevision }, this.#limits(signal));
  }

  async delete(key: string, expectedModRevision: number, signal?: AbortSignal): Promise<WriteResult> {
    await this.#knowFloor();
    return this.#writer.write({ key, expectedModRevision }, this.#limits(signal));
  }

  async *watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncGenerator<StorageEvents> {
    for await (const batch of watchRange(this.#client, prefixRange(prefix), afterRevision, signal)) {
      yield { revision: batch.revision, events: batch.events.map(storageEvent) };
    }
  }

  async ping(timeoutMs: number): Promise<void> {
    await this.#client.repeat(
      'reach etcd',
      (raw, options) => raw.kv.range({ key: Buffer.from([0]), count_only: true }, options),
      { timeoutMs },
    );
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  /** One revision must be known before the first write: write.ts looks for lost writes after it. */
  async #knowFloor(): Promise<void> {
    this.#floor ??= this.get('.').catch((error: unknown) => {
      this.#floor = undefined;
      throw error;
    });
    await this.#floor;
  }

  async #range(
    what: string,
    request: RangeRequest,
    signal: AbortSignal | undefined,
  ): Promise<IRangeResponse> {
    const reply = await this.#client.repeat(
      what,
      (raw, options) => raw.kv.range(request, options),
      this.#limits(signal),
    );
    this.#writer.sawRevision(Number(reply.header.revision));
    return reply;
  }

  #limits(signal: AbortSignal | undefined): { timeoutMs: number; signal: AbortSignal | undefined } {
    return { timeoutMs: this.#client.requestTimeoutMs, signal };
  }
}

type RangeRequest = Parameters<KVClient['range']>[0];

function after(key: string): Buffer {
  return Buffer.concat([Buffer.from(key), Buffer.from([0])]);
}

function storageEvent(event: IEvent): StorageEvent {
  if (event.type === 'Put') return { type: 'put', entry: storedEntry(event.kv) };
  return { type: 'delete', key: event.kv.key.toString(), modRevision: Number(event.kv.mod_revision) };
}
