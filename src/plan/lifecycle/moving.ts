import { heldBack } from '../migration/claim.ts';
import { type ContainerFacts, holdBack, isBehind, isUp, type Step, stopGraceMs } from './steps.ts';
import type { SeenInstance } from './record.ts';

/**
 * What a migration asks of the node that a container is placed on, before anything else is done to it. The source lets go of
 * it; the target takes over what the migration brought, and never makes anew from the image what it should have brought.
 * @returns undefined: the container is treated as any other
 */
export function planMoving(facts: ContainerFacts): Step | undefined {
  const { container, seen } = facts;
  if (seen === 'unknown') return undefined;
  // A live pass is not cut short: until it is told where the container is now, neither node can say that nothing is left.
  if (container.metadata.deletionTimestamp !== undefined) {
    return heldBack(container) === 'Live' ? MOVING : undefined;
  }
  switch (heldBack(container)) {
    case 'Held':
      return planHeld(facts, seen);
    case 'Live':
      return MOVING;
    default:
      return planTakeOver(facts, seen);
  }
}

export const MOVING_MESSAGE = 'It is moved to another node';
const MOVING: Step = { do: 'wait', reason: 'Migrating', message: MOVING_MESSAGE };

/** The new epoch goes onto the instance before it is stopped: an agent that starts with an old disk finds it there. */
function planHeld(facts: ContainerFacts, seen: 'absent' | SeenInstance): Step | undefined {
  const { container, source } = facts;
  if (seen === 'absent') return MOVING;
  if (seen.mark?.uid !== container.metadata.uid || seen.status === 'Busy') return undefined;
  const update: Step = { do: 'update' };
  const isUpdateDue = source === 'api' && facts.forbiddenConfig.length === 0 && isBehind(container, seen);
  if (isUpdateDue && holdBack(update, facts) === update) return update;
  if (isUp(seen)) return { do: 'stop', because: 'Migrating', graceMs: stopGraceMs(container) };
  // On shared storage the target cannot have it before this daemon has forgotten it.
  return seen.isRootShared === true && source === 'api' ? { do: 'delete' } : MOVING;
}

function planTakeOver(
  { container, source }: ContainerFacts,
  seen: 'absent' | SeenInstance,
): Step | undefined {
  const claim = container.status?.migration;
  if (seen === 'absent') {
    const isMissing = claim?.stage === 'Switched' && claim.transfer === 'Copy';
    return isMissing ? COPY_MISSING : undefined;
  }
  if (seen.incoming === undefined || seen.mark?.uid !== container.metadata.uid) return undefined;
  if (source !== 'api') return undefined;
  const isMeant = claim?.stage === 'Switched' && claim.uid === seen.incoming;
  if (isMeant) return { do: 'accept', migration: seen.incoming };
  // It has come by a live pass, whole, and whoever could say so has gone.
  if (isUp(seen)) return { do: 'accept', migration: seen.incoming };
  // The copy of a move that came to nothing; the container is placed here for another reason.
  return { do: 'drop', migration: seen.incoming };
}

const COPY_MISSING: Step = {
  do: 'wait',
  reason: 'CopyMissing',
  message: 'The copy that its migration brought here is gone',
  afterMs: 5_000,
};
