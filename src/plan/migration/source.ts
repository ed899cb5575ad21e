import type { Migration, SourceReport } from '../../crds/migration.ts';
import type { Seen } from '../lifecycle/record.ts';
import { isOver } from './ending.ts';
import type { Reason } from './mode.ts';
import { FIRST_PASS } from './passes.ts';

/**
 * What the container work of a node has seen when it left a container alone: no start of it can be under way any more, since
 * one container is worked on by one pass at a time, and each goes by the newest view that there is.
 */
export interface LetGo {
  uid: string;
  /** The epoch under which it is left alone. */
  epoch: number;
  state: 'Up' | 'Stopped' | 'Absent';
}

export interface SourceFacts {
  migration: Migration;
  /** uid of the Container that is moved. */
  uid: string;
  /** Undefined: nobody has looked; most steps need no look. */
  seen: Seen | undefined;
  letGo: LetGo | undefined;
}

export type SourceStep =
  | { do: 'nothing' }
  | { do: 'wait'; afterMs: number }
  /** Ask again with what the daemon says. */
  | { do: 'look' }
  | { do: 'report'; report: Partial<SourceReport> }
  /** Offer the pass, write its keys into the Secret, and report it together with `report`. */
  | { do: 'offer'; pass: number; live: boolean; report: Partial<SourceReport> }
  /** Remember the epoch, on the disk, and have the container looked at once more. */
  | { do: 'stepBack'; epoch: number }
  /** Have what is left looked at. */
  | { do: 'examine' }
  /** Over: no offer goes on. */
  | { do: 'end' };

const SOON_MS = 100;
/** It is told when the container is let go (agent/containers/let-go.ts): this is for what was lost with an agent. */
const TOLD_MS = 1_000;

/** Decides the one next step of the source's agent. Pure; may be asked again at any time. */
export function planSource(facts: SourceFacts): SourceStep {
  const { migration, seen } = facts;
  const { status = {} } = migration;
  if (isOver(status)) return { do: 'end' };
  switch (status.phase) {
    case 'Preparing':
      return status.sourceReport?.prepared === true ? { do: 'nothing' } : planPrepared(facts);
    case 'Copying':
    case 'Refreshing':
      return isOffered(status) ? { do: 'nothing' } : offer(status.pass ?? 0, false);
    case 'SwitchingOver':
      return status.mode === 'Live' ? planLive(facts) : planLetGo(facts);
    case 'Completing':
      if (status.sourceReport?.cleared === true || status.pauseMs === undefined) return { do: 'nothing' };
      if (seen === undefined) return { do: 'look' };
      if (seen === 'unknown') return { do: 'wait', afterMs: SOON_MS };
      return isGone(facts) ? { do: 'report', report: { cleared: true } } : { do: 'examine' };
    default:
      return { do: 'nothing' };
  }
}

/** What can be offered is offered at once: nobody fetches it before the target can take it as well. */
function planPrepared({ migration, seen, uid }: SourceFacts): SourceStep {
  if (seen === undefined) return { do: 'look' };
  if (seen === 'unknown') return { do: 'wait', afterMs: SOON_MS };
  if (seen !== 'absent' && seen.mark?.uid === uid && seen.incoming === undefined) {
    const report: Partial<SourceReport> = { prepared: true };
    return migration.status?.transfer === 'Shared'
      ? { do: 'report', report }
      : offer(FIRST_PASS, false, report);
  }
  const fault: Reason = { reason: 'InstanceMissing', message: 'The host has no instance of the container' };
  return { do: 'report', report: { fault } };
}

/** Held: only what has stopped under the very epoch of the hold is offered for the last pass. */
function planLetGo({ migration, uid, letGo }: SourceFacts): SourceStep {
  const { status = {} } = migration;
  const { epoch, transfer, pass = 0, sourceReport } = status;
  if (epoch === undefined) return { do: 'nothing' };
  const isHeld = letGo?.uid === uid && letGo.epoch === epoch;
  if (!isHeld || letGo.state === 'Up') return { do: 'wait', afterMs: TOLD_MS };
  if (transfer !== 'Shared') {
    return isOffered(status) ? { do: 'nothing' } : offer(pass, false, { stoppedEpoch: epoch });
  }
  if (sourceReport?.stoppedEpoch === epoch && sourceReport.forgotten === true) return { do: 'nothing' };
  if (letGo.state !== 'Absent') return { do: 'wait', afterMs: TOLD_MS };
  return { do: 'report', report: { stoppedEpoch: epoch, forgotten: true } };
}

/** Placed elsewhere: what runs is offered once this node starts nothing any more, whatever it ends up as. */
function planLive({ migration, uid, letGo }: SourceFacts): SourceStep {
  const { status = {} } = migration;
  const { epoch, pass = 0 } = status;
  if (epoch === undefined || isOffered(status)) return { do: 'nothing' };
  if (letGo?.uid !== uid || letGo.epoch < epoch) return { do: 'stepBack', epoch };
  return offer(pass, true);
}

function offer(pass: number, live: boolean, report: Partial<SourceReport> = {}): SourceStep {
  return { do: 'offer', pass, live, report };
}

/**
 * Whether all that is left of the container at the source stays there, whatever the API would say of it just now: nobody has to
 * look. What goes live is looked at: its migration waits for what is noted then.
 */
export function staysAtSource({ status = {} }: Pick<Migration, 'status'>): boolean {
  const { phase, mode, transfer, pauseMs } = status;
  if (mode === 'Live' || transfer !== 'Copy') return false;
  return phase === 'SwitchingOver' || (phase === 'Completing' && pauseMs === undefined);
}

function isOffered({ pass, sourceReport }: NonNullable<Migration['status']>): boolean {
  return sourceReport?.offered === pass || sourceReport?.failedPass === pass;
}

function isGone({ seen, uid }: SourceFacts): boolean {
  return seen === 'absent' || (typeof seen === 'object' && seen.mark?.uid !== uid);
}
