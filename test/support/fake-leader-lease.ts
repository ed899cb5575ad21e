import type { Clock, Timer } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { LeaderAcquisition, LeaderLease, LeaderTerm } from '../../src/ports/leader-lease.ts';

/** A store with one leader key, in memory, on a clock of the test's choice. Each replica gets a connection of its own. */
export interface FakeLeaderStore {
  connect(): FakeLeaderLease;
  /** Who has the key now. */
  holder(): string | undefined;
  /** Deletes the key as a person would, without its lease. */
  deleteKey(): void;
}

export interface FakeLeaderLease extends LeaderLease {
  /**
   * - `reject`: every call fails at once with Unavailable
   * - `hang`: requests and replies are held up until `well`
   * - `dropReplies`: requests are carried out, their callers hear nothing until `well`, and then Unavailable
   */
  network(state: 'well' | 'reject' | 'hang' | 'dropReplies'): void;
}

interface Held {
  term: LeaderTerm;
  ttlMs: number;
  timer: Timer;
  hasKey: boolean;
}

export function createFakeLeaderStore(clock: Clock): FakeLeaderStore {
  return new InMemoryLeaderStore(clock);
}

class InMemoryLeaderStore implements FakeLeaderStore {
  readonly #clock: Clock;
  readonly #leases = new Map<string, Held>();
  readonly #waiters = new Set<() => void>();
  #revision = 1;
  #leaseIds = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(): FakeLeaderLease {
    return new Connection(this);
  }

  holder(): string | undefined {
    return this.#present()?.term.holder;
  }

  deleteKey(): void {
    const present = this.#present();
    if (present) present.hasKey = false;
    this.#wake();
  }

  acquire(holder: string, ttlSeconds: number): LeaderAcquisition {
    const present = this.#present();
    if (present) return { acquired: false, holder: present.term.holder };
    const leaseId = String(++this.#leaseIds);
    const term = { holder, leaseId, createRevision: ++this.#revision };
    const ttlMs = ttlSeconds * 1_000;
    this.#leases.set(leaseId, { term, ttlMs, hasKey: true, timer: this.#expiry(leaseId, ttlMs) });
    return { acquired: true, term: { ...term } };
  }

  renew(term: LeaderTerm): void {
    const held = this.#leases.get(term.leaseId);
    if (!held) throw new HostlerError('NotFound', 'The lease ran out');
    held.timer.cancel();
    held.timer = this.#expiry(term.leaseId, held.ttlMs);
    if (!held.hasKey) throw new HostlerError('NotFound', 'The leader key is no longer ours');
  }

  release(term: LeaderTerm): void {
    this.#leases.get(term.leaseId)?.timer.cancel();
    if (this.#leases.delete(term.leaseId)) this.#wake();
  }

  waitUntilFree(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#present() && !signal.aborted) return;
        this.#waiters.delete(look);
        signal.removeEventListener('abort', look);
        resolve();
      };
      this.#waiters.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  #present(): Held | undefined {
    return [...this.#leases.values()].find(({ hasKey }) => hasKey);
  }

  #expiry(leaseId: string, ttlMs: number): Timer {
    return this.#clock.schedule(ttlMs, () => {
      this.#leases.delete(leaseId);
      this.#wake();
    });
  }

  #wake(): void {
    for (const look of this.#waiters) look();
  }
}

class Connection implements FakeLeaderLease {
  readonly #store: InMemoryLeaderStore;
  readonly #healed = new Set<() => void>();
  #state: Parameters<FakeLeaderLease['network']>[0] = 'well';

  constructor(store: InMemoryLeaderStore) {
    this.#store = store;
  }

  network(state: Parameters<FakeLeaderLease['network']>[0]): void {
    this.#state = state;
    if (state !== 'well') return;
    for (const heal of this.#healed) heal();
    this.#healed.clear();
  }

  acquire(holder: string, ttlSeconds: number, signal: AbortSignal): Promise<LeaderAcquisition> {
    return this.#call(() => this.#store.acquire(holder, ttlSeconds), signal);
  }

  renew(term: LeaderTerm, signal: AbortSignal): Promise<void> {
    return this.#call(() => this.#store.renew(term), signal);
  }

  release(term: LeaderTerm, signal: AbortSignal): Promise<void> {
    return this.#call(() => this.#store.release(term), signal);
  }

  waitUntilFree(signal: AbortSignal): Promise<void> {
    return this.#store.waitUntilFree(signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call<T>(run: () => T, signal: AbortSignal): Promise<T> {
    const unavailable = new HostlerError('Unavailable', 'The store cannot be reached');
    await Promise.resolve();
    if (this.#state === 'reject') throw unavailable;
    if (this.#state === 'hang') await this.#untilWell(signal);
    if (signal.aborted) throw new HostlerError('Aborted', 'The call was aborted');
    const isDeaf = this.#state === 'dropReplies';
    const result = run();
    if (!isDeaf) return result;
    await this.#untilWell(signal);
    throw unavailable;
  }

  #untilWell(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#healed.add(resolve);
      const onAbort = (): void => reject(new HostlerError('Aborted', 'The call was aborted'));
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }
}
