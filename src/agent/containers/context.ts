import type { Container } from '../../crds/container.ts';
import { referenceTo } from '../../crds/object.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventRecorder } from '../../ports/event-recorder.ts';
import type { HostDriver } from '../../ports/host-driver.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { GuardedContainers } from '../guard/guarded.ts';
import type { ContainerStorage } from '../pools/container-storage.ts';
import type { ClusterGuard } from '../cluster-guard.ts';
import type { Book } from '../state/book.ts';
import type { Failures } from './failures.ts';
import type { LatestContainers } from './latest.ts';
import type { LetGoNotes } from './let-go.ts';
import type { Limiter } from './limiter.ts';

/** What everything that handles containers on this host works with. */
export interface ContainersContext {
  nodeName: string;
  /** Network of eth0 where a Container names none; absent: no interface. */
  defaultNetwork?: string;
  allowedConfig: readonly string[];
  store: ObjectStore;
  host: HostDriver;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  events: EventRecorder;
  book: Book;
  cluster: Pick<ClusterGuard, 'isTrusted' | 'readFresh'>;
  latest: LatestContainers;
  letGo: LetGoNotes;
  moving: {
    /** How many containers come or leave now. */
    active(): number;
    /** Whether a migration keeps what there is here of a container that is placed elsewhere. */
    keeps(key: string): boolean;
  };
  failures: Failures;
  /** What a daemon is asked to do at once; stops and updates are not limited. */
  limits: Readonly<Record<'looks' | 'creates' | 'starts', Limiter>>;
  /** What containers may wait for on this host: changes when a pool becomes ready, or the daemon is back. */
  hostState(): string;
  storage: ContainerStorage;
  guarded: GuardedContainers;
  /** Whether what may be recovered elsewhere may not run here now. */
  isLeaseExpired: () => boolean;
  /** An image is on the host. @returns whether this agent has not used it before */
  onImage(reference: string): boolean;
}

export type EventType = 'Normal' | 'Warning';

export function recordEvent(
  { events }: Pick<ContainersContext, 'events'>,
  container: Container,
  [type, reason]: [EventType, string],
  message: string,
): void {
  events.record(referenceTo(container), type, reason, message);
}
