import type { Clock } from '../../src/ports/clock.ts';
import type { HostDriver, HostEvent } from '../../src/ports/host-driver.ts';
import type { FakeHost, FakeInstance } from './fake-host.ts';

export type Method = Exclude<keyof HostDriver, 'events' | 'close'>;

/** What every part of the fake host works with. */
export interface FakeDaemon {
  clock: Clock;
  /** Carries out one call, with the faults that a test has asked for. */
  call: <T>(method: Method, what: string, signal: AbortSignal, run: () => T) => Promise<Awaited<T>>;
  /** Now, as the daemon writes it. */
  stamp: () => string;
  emit: (event: HostEvent) => void;
  start: (name: string, instance: FakeInstance) => void;
  stop: (name: string, instance: FakeInstance, requested: boolean) => void;
  /** @throws NotFound */
  existing: (name: string) => FakeInstance;
  /** @throws NotFound; Forbidden when it is not ours */
  ours: (name: string) => FakeInstance;
  host: () => FakeHost;
}
