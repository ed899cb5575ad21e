import type { RunRecord } from '../record.ts';
import type { Finding } from './finding.ts';
import { findDoubleLives } from './heartbeats.ts';
import { findUnprovenStarts } from './placements.ts';
import { findWatchFaults } from './watches.ts';
import { findLostWrites } from './writes.ts';

/** What must hold at any moment of a run. */
export function findUnsafe(record: RunRecord): Finding[] {
  return [...findDoubleLives(record), ...findUnprovenStarts(record)];
}

/** All rules, over the record of a run that has ended and was quiet before it did. */
export function validate(record: RunRecord): Finding[] {
  return [...findUnsafe(record), ...findLostWrites(record), ...findWatchFaults(record)];
}
