import { randomInt } from 'node:crypto';
import type { Etcd3, ILeaseKeepAliveResponse, ITxnRequest } from 'etcd3';
import { HostlerError, hasCode } from '../ports/errors.ts';
import type { LeaderAcquisition, LeaderLease, LeaderTerm } from '../ports/leader-lease.ts';
import { createEtcdClient, retryUntil, EtcdCallError } from './client.ts';
import type { EtcdClient, EtcdOptions, RawCallOptions } from './client.ts';
import { watchRange } from './watch.ts';

/**
 * The leader lease on etcd: a key that is bound to an etcd lease and holds the leader's name. The lease's id is chosen
 * here, so that each call can be repeated after a lost reply and an attempt that was given up can be revoked. Nothing
 * here decides who may lead: etcd's lease runs from the moment at which etcd hears of a renewal, the election's
 * deadline from before it was sent.
 */
export function createEtcdLeaderLease(options: EtcdOptions & { key: string }): LeaderLease {
  const requestTimeoutMs = options.requestTimeoutMs ?? 3_000;
  return new EtcdLeaderLease(createEtcdClient({ ...options, requestTimeoutMs }), options.key);
}

/** How long giving up a lease that is not needed may hold up the caller; it runs out by itself. */
const revokeTimeoutMs = 1_000;

class EtcdLeaderLease implements LeaderLease {
  readonly #client: EtcdClient;
  readonly #key: Buffer;

  constructor(client: EtcdClient, key: string) {
    this.#client = client;
    this.#key = Buffer.from(key);
  }

  async acquire(holder: string, ttlSeconds: number, signal: AbortSignal): Promise<LeaderAcquisition> {
    const present = await this.#read(signal);
    if (present.holder !== undefined) return { acquired: false, holder: present.holder };
    const leaseId = String(randomInt(1, 2 ** 48 - 1));
    let acquisition: LeaderAcquisition | undefined;
    try {
      await this.#grant(leaseId, ttlSeconds, signal);
      acquisition = await this.#take(holder, leaseId, signal);
      return acquisition;
    } finally {
      if (!acquisition?.acquired) await this.#revokeQuietly(leaseId);
    }
  }

  async renew(term: LeaderTerm, signal: AbortSignal): Promise<void> {
    const what = 'renew the leader lease';
    const limits = { timeoutMs: this.#client.requestTimeoutMs, signal };
    const reply = await this.#client.repeat(
      what,
      (raw, options) => keepAlive(raw, term.leaseId, options),
      limits,
    );
    if (Number(reply.TTL) <= 0) throw new HostlerError('NotFound', `Cannot ${what}: it ran out`);
    // Somebody may have deleted the key by hand while the lease lives on: then another replica can take it.
    const present = await this.#read(signal);
    if (present.createRevision === term.createRevision) return;
    throw new HostlerError('NotFound', `Cannot ${what}: the leader key is no longer ours`);
  }

  async release(term: LeaderTerm, signal: AbortSignal): Promise<void> {
    await this.#revoke(term.leaseId, this.#client.requestTimeoutMs, signal);
  }

  async waitUntilFree(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { holder, revision } = await this.#read(signal);
      if (holder === undefined) return;
      try {
        for await (const batch of watchRange(this.#client, { key: this.#key }, revision, signal)) {
          if (batch.events.some((event) => event.type === 'Delete')) return;
        }
        return;
      } catch (error) {
        if (!hasCode(error, 'Expired')) throw error;
      }
    }
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #read(signal: AbortSignal): Promise<{ holder?: string; createRevision?: number; revision: number }> {
    const reply = await this.#client.repeat(
      'read the leader key',
      (raw, options) => raw.kv.range({ key: this.#key }, options),
      { timeoutMs: this.#client.requestTimeoutMs, signal },
    );
    const kv = reply.kvs[0];
    return {
      revision: Number(reply.header.revision),
      ...(kv && { holder: kv.value.toString(), createRevision: Number(kv.create_revision) }),
    };
  }

  async #grant(leaseId: string, ttlSeconds: number, signal: AbortSignal): Promise<void> {
    const limits = { timeoutMs: this.#client.requestTimeoutMs, signal };
    try {
      await this.#client.repeat(
        'make a leader lease',
        (raw, options) => raw.leaseClient.leaseGrant({ ID: leaseId, TTL: ttlSeconds }, options),
        limits,
      );
    } catch (error) {
      // A try whose reply was lost has made it: ids are never used twice.
      if (!hasCode(error, 'Conflict')) throw error;
    }
  }

  /** Safe to repeat: an earlier try of ours shows in the lease that the key is bound to. */
  async #take(holder: string, leaseId: string, signal: AbortSignal): Promise<LeaderAcquisition> {
    const limits = { timeoutMs: this.#client.requestTimeoutMs, signal };
    const retry = retryUntil(limits);
    for (;;) {
      try {
        const reply = await this.#client.attempt(
          'take the leader key',
          (raw, options) => raw.kv.txn(takeIfFree(this.#key, holder, leaseId), options),
          { ...limits, timeoutMs: retry.attemptMs() },
        );
        const kv = reply.responses[0]?.response_range?.kvs[0];
        const isOurs = reply.succeeded || kv?.lease === leaseId;
        if (!isOurs) return { acquired: false, holder: kv?.value.toString() ?? '' };
        const createRevision = Number(reply.succeeded ? reply.header.revision : kv?.create_revision);
        return { acquired: true, term: { holder, leaseId, createRevision } };
      } catch (thrown) {
        if (!(thrown instanceof EtcdCallError)) throw thrown;
        const isFinal = thrown.fate === 'refused' || thrown.failure.code === 'Aborted';
        if (isFinal || !(await retry.pause(this.#client.closed))) throw thrown.failure;
      }
    }
  }

  async #revoke(leaseId: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    try {
      await this.#client.repeat(
        'give up the leader lease',
        (raw, options) => raw.leaseClient.leaseRevoke({ ID: leaseId }, options),
        { timeoutMs, signal },
      );
    } catch (error) {
      if (!hasCode(error, 'NotFound')) throw error;
    }
  }

  async #revokeQuietly(leaseId: string): Promise<void> {
    try {
      await this.#revoke(leaseId, revokeTimeoutMs);
    } catch (error) {
      this.#client.logger.debug({ error: String(error) }, 'an unused leader lease is left to run out');
    }
  }
}

function takeIfFree(key: Buffer, holder: string, leaseId: string): ITxnRequest {
  return {
    compare: [{ target: 'Create', result: 'Equal', key, create_revision: 0 }],
    success: [{ request_put: { key, value: Buffer.from(holder), lease: leaseId } }],
    failure: [{ request_range: { key } }],
  };
}

/** One renewal on a stream of its own. */
async function keepAlive(
  raw: Etcd3,
  leaseId: string,
  options: RawCallOptions,
): Promise<ILeaseKeepAliveResponse> {
  const stream = await raw.leaseClient.leaseKeepAlive(options);
  try {
    return await new Promise<ILeaseKeepAliveResponse>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the stream ended without an answer')));
      stream.write({ ID: leaseId });
    });
  } finally {
    stream.cancel();
  }
}
