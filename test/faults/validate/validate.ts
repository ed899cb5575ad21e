import { isRecovered } from '../traffic.ts';
import type { RunRecord } from '../record.ts';
import { findUntoldDisks } from './disk.ts';
import type { Finding } from './finding.ts';
import { findDoubleLives } from './heartbeats.ts';
import { findLateStops } from './isolation.ts';
import { findUnprovenMoves } from './placements.ts';
import { findHastyRevocations } from './revocations.ts';
import { findWatchFaults } from './watches.ts';
import { findLostWrites } from './writes.ts';

/** What heartbeats alone show, whatever else is away. */
export function findAlive(record: Pick<RunRecord, 'beats' | 'faults'>): Finding[] {
  return [...findDoubleLives(record), ...findLateStops(record, isRecovered)];
}

/** What must hold at any moment of a run. The history must have all that was done until then. */
export function findUnsafe(record: RunRecord): Finding[] {
  return [...findAlive(record), ...findUnprovenMoves(record), ...findHastyRevocations(record)];
}

/** All rules about a whole record, of a run that has ended and was quiet before it did. */
export function validate(record: RunRecord): Finding[] {
  return [
    ...findUnsafe(record),
    ...findLostWrites(record),
    ...findWatchFaults(record),
    ...findUntoldDisks(record),
  ];
}
