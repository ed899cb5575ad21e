import type { HostDriver, HostEvent, InstanceSpec, PoolSpec } from '../../../src/ports/host-driver.ts';

/** What the suite needs to know about, and do to, the host behind a driver. */
export interface Bench {
  driver: HostDriver;
  /** `file:///…` of an image whose container starts and stops cleanly. */
  image: string;
  pool: string;
  network: string;
  /** A folder for image files, seen by the host. */
  directory: string;
  /** A running container that somebody made by hand. */
  makeForeign(name: string): Promise<void>;
  removeForeign(name: string): Promise<void>;
  killInit(name: string): Promise<void>;
  /** The first process of a container of the bench's image ends by itself. */
  endInit(name: string, how: 'status 0' | 'status 3' | 'poweroff'): Promise<void>;
  stopDaemon(): Promise<void>;
  startDaemon(): Promise<void>;
  /** The reply to the next call that makes this change is lost; undefined where nothing stands between. */
  loseReply?: ((change: Change) => void) | undefined;
  /** Whether the daemon can make a pool larger. */
  growsPools: boolean;
  stop(): Promise<void>;
}

export type Change = 'createInstance' | 'startInstance' | 'stopInstance' | 'deleteInstance' | 'ensurePool';

/** A deadline for one test's calls that no call should come near. */
export const never = new AbortController().signal;

export function specOf(bench: Bench, name: string, fingerprint: string): InstanceSpec {
  return {
    name: `${name}--default`,
    mark: { uid: `uid-${name}`, namespace: 'default', name, epoch: 1, generation: 1 },
    imageFingerprint: fingerprint,
    rootPool: bench.pool,
    networks: [],
    config: {},
  };
}

export function poolSpecOf(name: string): PoolSpec {
  return { name, uid: `uid-${name}`, driver: 'dir', config: {} };
}

/** Removes an instance of ours, whatever state it is in. */
export async function remove(driver: HostDriver, spec: InstanceSpec): Promise<void> {
  await driver.stopInstance(spec.name, 0, never);
  await driver.deleteInstance(spec.name, spec.mark.uid, never);
}

/** What a driver says on its event stream, from the first `resync` on. */
export class EventLog {
  readonly seen: HostEvent[] = [];
  readonly #abort = new AbortController();
  readonly #reading: Promise<void>;
  #wake: () => void = () => {};

  constructor(driver: HostDriver) {
    this.#reading = this.#read(driver);
  }

  /** Events of one instance, in order, without what merely says that settings changed. */
  of(name: string): HostEvent[] {
    return this.seen.filter((event) => 'name' in event && event.name === name && event.type !== 'updated');
  }

  count(type: HostEvent['type']): number {
    return this.seen.filter((event) => event.type === type).length;
  }

  /** @throws Error with what was seen when `holds` is not true in time */
  async until(holds: () => boolean, timeoutMs = 15_000): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!holds()) {
      if (signal.aborted) throw new Error(`not within ${timeoutMs} ms; seen: ${JSON.stringify(this.seen)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }

  async #read(driver: HostDriver): Promise<void> {
    for await (const event of driver.events(this.#abort.signal)) {
      this.seen.push(event);
      this.#wake();
    }
  }
}
