import type { Container } from '../../crds/container.ts';
import type { Migration, TargetReport } from '../../crds/migration.ts';
import type { Seen } from '../lifecycle/record.ts';
import { claimOf } from './claim.ts';
import { isOver } from './ending.ts';
import type { Reason } from './mode.ts';

export interface TargetFacts {
  migration: Migration;
  nodeName: string;
  /** Undefined: nobody has looked; most steps need no look. */
  sight: TargetSight | undefined;
  /** The last pass that this agent has tried to fetch. */
  triedPass: number | undefined;
}

export interface TargetSight {
  /** By a fresh read; undefined: there is none. */
  container: Container | undefined;
  seen: Seen;
}

export type TargetStep =
  | { do: 'nothing' }
  | { do: 'wait'; afterMs: number }
  /** Ask again with what API and daemon say. */
  | { do: 'look' }
  | { do: 'report'; report: Partial<TargetReport> }
  | { do: 'pull'; pass: number; live: boolean }
  /** A live pass came to nothing: drop the copy, and then say so under this epoch. */
  | { do: 'clear'; pass: number; epoch: number }
  /** Have looked at what is in the way, or left over. */
  | { do: 'examine' };

const SOON_MS = 100;

/** Decides the one next step of the target's agent. Pure; may be asked again at any time. */
export function planTarget(facts: TargetFacts): TargetStep {
  const { status = {} } = facts.migration;
  if (isOver(status)) return planOver(facts);
  switch (status.phase) {
    case 'Preparing':
      return status.targetReport?.prepared === true ? { do: 'nothing' } : planPrepared(facts);
    case 'Copying':
    case 'Refreshing':
      return planPull(facts);
    case 'SwitchingOver':
      if (status.transfer === 'Shared') return { do: 'nothing' };
      return status.mode === 'Live' ? planLive(facts) : planPull(facts);
    default:
      return { do: 'nothing' };
  }
}

/** Whether the incoming copy stays, whatever the API would say of it just now. What an earlier migration left goes before. */
export function staysAtTarget({ status = {} }: Pick<Migration, 'status'>): boolean {
  const { phase, transfer, targetReport } = status;
  if (transfer !== 'Copy' || targetReport?.prepared !== true) return false;
  return phase === 'Copying' || phase === 'Refreshing' || phase === 'SwitchingOver';
}

function planOver(facts: TargetFacts): TargetStep {
  const { sight, migration } = facts;
  // Nothing of it is left here but the container itself.
  if (migration.status?.phase === 'Succeeded') return { do: 'nothing' };
  if (sight === undefined) return { do: 'look' };
  const { seen, container } = sight;
  if (claimOf(migration, container)?.stage === 'Live') return planLive(facts);
  return seen === 'absent' || seen === 'unknown' ? { do: 'nothing' } : { do: 'examine' };
}

/** Copies of earlier migrations go first; what is not Hostler's, never. */
function planPrepared({ migration, sight }: TargetFacts): TargetStep {
  if (sight === undefined) return { do: 'look' };
  const { seen, container } = sight;
  if (seen === 'unknown' || container === undefined) return { do: 'wait', afterMs: SOON_MS };
  const isReady = seen === 'absent' || seen.incoming === migration.metadata.uid;
  if (isReady) return { do: 'report', report: { prepared: true } };
  if (seen.mark !== undefined) return { do: 'examine' };
  const message = `The host has an instance ${seen.name} already, which is not Hostler's`;
  const fault: Reason = { reason: 'NameTaken', message };
  return { do: 'report', report: { fault } };
}

function planPull({ migration, triedPass }: TargetFacts): TargetStep {
  const { pass = 0, sourceReport, targetReport } = migration.status ?? {};
  const isDone = targetReport?.pass === pass || targetReport?.failedPass === pass;
  if (isDone || sourceReport?.offered !== pass || triedPass === pass) return { do: 'nothing' };
  return { do: 'pull', pass, live: false };
}

/**
 * Whatever an earlier attempt has come to shows on the host: it runs, or a copy is there that no pass can start any more once
 * it is dropped. A pass is tried once, and none is begun when the migration is over.
 */
function planLive(facts: TargetFacts): TargetStep {
  const { migration, nodeName, sight } = facts;
  if (sight === undefined) return { do: 'look' };
  const { container, seen } = sight;
  const { status = {} } = migration;
  const epoch = container?.status?.epoch;
  if (claimOf(migration, container)?.stage !== 'Live' || container?.status?.nodeName !== nodeName) {
    return { do: 'nothing' };
  }
  const { runningEpoch, clearedEpoch } = status.targetReport ?? {};
  if (epoch === undefined || runningEpoch === epoch || clearedEpoch === epoch) return { do: 'nothing' };
  if (seen === 'unknown') return { do: 'wait', afterMs: SOON_MS };
  const pass = status.pass ?? 0;
  const isOurs = seen !== 'absent' && seen.incoming === migration.metadata.uid;
  if (isOurs && seen.status === 'Running') return { do: 'report', report: { pass, runningEpoch: epoch } };
  return planLivePass(facts, pass, epoch);
}

function planLivePass({ migration, triedPass }: TargetFacts, pass: number, epoch: number): TargetStep {
  const { status = {} } = migration;
  const isFailed = status.sourceReport?.failedPass === pass || triedPass === pass;
  if (isOver(status) || isFailed) return { do: 'clear', pass, epoch };
  const isOffered = status.sourceReport?.offered === pass;
  return isOffered && status.epoch === epoch ? { do: 'pull', pass, live: true } : { do: 'nothing' };
}
