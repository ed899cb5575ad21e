import type { ICompare, IKeyValue, IRangeResponse, IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3';
import { HostlerError, hasCode } from '../ports/errors.ts';
import type { StoredEntry, WriteResult } from '../ports/storage.ts';
import { EtcdCallError, retryUntil } from './client.ts';
import type { CallLimits, EtcdClient, Retry } from './client.ts';
import { fenceKey, recordKey, writeToken } from './keys.ts';

/**
 * Conditional writes whose outcome is known although replies get lost. Each write is one transaction that also puts a
 * random token under a *record key*, so the store itself can say whether, and at which revision, it was carried out,
 * even if the key was overwritten or deleted since. When a reply is lost:
 * - a write that expects an existing version is sent again: that version never comes back, so it cannot be carried out
 *   twice, and once a try was refused no earlier one can still succeed;
 * - a create (the key may be deleted and be absent again) also expects an unchanged *fence key*. Changing that key makes
 *   every create still on its way fail; from then on the record says for good whether it was carried out.
 * Only where the record cannot be read before the deadline, or is compacted, the answer is `Timeout`.
 */
export interface Writer {
  write(write: ConditionalWrite, limits: CallLimits): Promise<WriteResult>;
  /** Tells of a revision that was seen: writes sent from now on are later. */
  sawRevision(revision: number): void;
}

export interface ConditionalWrite {
  key: string;
  /** Absent: delete. */
  value?: Buffer;
  expectedModRevision: number;
}

interface Attempted extends ConditionalWrite {
  token: Buffer;
  /** The write has a revision > this one, if any. */
  floor: number;
  lost: boolean;
  retry: Retry;
  limits: CallLimits;
}

export function createWriter(client: EtcdClient): Writer {
  return new EtcdWriter(client);
}

class EtcdWriter implements Writer {
  readonly #client: EtcdClient;
  #seenRevision = 0;
  #fenceRevision = 0;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  sawRevision(revision: number): void {
    this.#seenRevision = Math.max(this.#seenRevision, revision);
  }

  async write(asked: ConditionalWrite, limits: CallLimits): Promise<WriteResult> {
    checkExpectation(asked);
    const floor = Math.max(this.#seenRevision, asked.expectedModRevision);
    const retry = retryUntil(limits);
    const write: Attempted = { ...asked, token: writeToken(), floor, lost: false, retry, limits };
    try {
      for (;;) {
        const reply = await this.#tryOnce(write);
        const result = reply ? await this.#afterReply(write, reply) : await this.#afterLostReply(write);
        if (result) return result;
      }
    } catch (error) {
      throw write.lost && !hasCode(error, 'Aborted') ? unproven(write, error) : error;
    }
  }

  /** @returns the reply, or undefined when none came and there is time for another try */
  async #tryOnce(write: Attempted): Promise<ITxnResponse | undefined> {
    try {
      return await this.#client.attempt(
        describe(write),
        (raw, options) => raw.kv.txn(transaction(write, this.#fenceRevision), options),
        { ...write.limits, timeoutMs: write.retry.attemptMs() },
      );
    } catch (thrown) {
      if (!(thrown instanceof EtcdCallError)) throw thrown;
      const { fate, failure } = thrown;
      if (fate === 'unknown') write.lost = true;
      if (failure.code === 'Aborted' || (fate === 'refused' && !write.lost)) throw failure;
      const told = write.retry.moreTelling(failure);
      if (!(await write.retry.pause(this.#client.closed))) throw told;
      return undefined;
    }
  }

  /** @returns undefined when the write has to be sent again */
  async #afterReply(write: Attempted, reply: ITxnResponse): Promise<WriteResult | undefined> {
    const revision = Number(reply.header.revision);
    this.sawRevision(revision);
    if (reply.succeeded) return { ok: true, modRevision: revision };
    if (write.lost) {
      const modRevision = await this.#findRecord(write, revision);
      if (modRevision !== undefined) return { ok: true, modRevision };
    }
    const current = rangeOf(reply, 0)?.kvs[0];
    if (Number(current?.mod_revision ?? 0) === write.expectedModRevision) {
      // The key is as expected: it was the fence that had moved.
      this.#fenceRevision = Number(rangeOf(reply, 1)?.kvs[0]?.mod_revision ?? 0);
      return undefined;
    }
    return { ok: false, ...(current && { current: storedEntry(current) }), revision };
  }

  /** @returns undefined when the write may be sent again */
  async #afterLostReply(write: Attempted): Promise<WriteResult | undefined> {
    if (!write.lost || write.expectedModRevision !== 0) return undefined;
    const fencedAt = await this.#raiseFence(write);
    const modRevision = await this.#findRecord(write, fencedAt);
    if (modRevision !== undefined) return { ok: true, modRevision };
    write.lost = false;
    write.floor = fencedAt;
    return undefined;
  }

  /** Makes every create that is on its way fail. @returns the revision from which on that holds */
  async #raiseFence(write: Attempted): Promise<number> {
    const reply = await this.#client.repeat(
      `read back: ${describe(write)}`,
      (raw, options) => raw.kv.put({ key: fenceKey, value: writeToken() }, options),
      { ...write.limits, timeoutMs: write.retry.leftMs() },
    );
    const revision = Number(reply.header.revision);
    this.#fenceRevision = Math.max(this.#fenceRevision, revision);
    this.sawRevision(revision);
    return revision;
  }

  /** The revision at which the write was carried out, looked for from `upTo` down. */
  async #findRecord(write: Attempted, upTo: number): Promise<number | undefined> {
    const key = recordKey(write.key);
    let revision = upTo;
    while (revision > write.floor) {
      const at = revision;
      const range = await this.#client.repeat(
        `read back: ${describe(write)}`,
        (raw, options) => raw.kv.range({ key, revision: at }, options),
        { ...write.limits, timeoutMs: write.retry.leftMs() },
      );
      const record = range.kvs[0];
      if (!record || Number(record.mod_revision) <= write.floor) return undefined;
      if (record.value.equals(write.token)) return Number(record.mod_revision);
      revision = Number(record.mod_revision) - 1;
    }
    return undefined;
  }
}

function transaction(write: Attempted, fenceRevision: number): ITxnRequest {
  const key = Buffer.from(write.key);
  const isCreate = write.expectedModRevision === 0;
  const change: IRequestOp =
    write.value === undefined
      ? { request_delete_range: { key } }
      : { request_put: { key, value: write.value } };
  return {
    compare: [
      unchanged(key, write.expectedModRevision),
      ...(isCreate ? [unchanged(fenceKey, fenceRevision)] : []),
    ],
    success: [change, { request_put: { key: recordKey(write.key), value: write.token } }],
    failure: [
      { request_range: { key } },
      ...(isCreate ? [{ request_range: { key: fenceKey, keys_only: true } }] : []),
    ],
  };
}

function unchanged(key: Buffer, revision: number): ICompare {
  return { target: 'Mod', result: 'Equal', key, mod_revision: revision };
}

function rangeOf(reply: ITxnResponse, index: number): IRangeResponse | undefined {
  return reply.responses[index]?.response_range;
}

function checkExpectation(write: ConditionalWrite): void {
  const least = write.value === undefined ? 1 : 0;
  if (Number.isSafeInteger(write.expectedModRevision) && write.expectedModRevision >= least) return;
  throw new HostlerError('Invalid', `Cannot ${describe(write)}: ${write.expectedModRevision} is no revision`);
}

function unproven(write: ConditionalWrite, cause: unknown): HostlerError {
  return new HostlerError('Timeout', `Cannot tell the outcome of: ${describe(write)}`, { cause });
}

function describe(write: ConditionalWrite): string {
  return `${write.value === undefined ? 'delete' : 'write'} ${write.key}`;
}

export function storedEntry(kv: IKeyValue): StoredEntry {
  return {
    key: kv.key.toString(),
    value: kv.value,
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
  };
}
