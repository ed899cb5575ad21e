import type { SchedulingFacts } from '../plan/scheduling/facts.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventRecorder } from '../ports/event-recorder.ts';
import type { Fencer } from '../ports/fencer.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Informers } from './informers.ts';
import type { LeaseView } from './lease-view.ts';

/** What the controllers are made from. */
export interface LeaderDeps {
  store: ObjectStore;
  informers: Informers;
  events: EventRecorder;
  fencer: Fencer;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

/** What every controller gets: besides all that, what they share for one time in office. */
export interface ControllerDeps extends LeaderDeps {
  leases: LeaseView;
  /** Whoever places something counts it here at once, so that no room is promised twice. */
  facts: SchedulingFacts;
}
