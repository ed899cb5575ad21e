import { isHeld } from '../../crds/migration.ts';
import { claimOf, withoutClaim } from './claim.ts';
import { whenTargetIsLost } from './completion.ts';
import type { MigrationFacts, MigrationStep } from './facts.ts';
import { hasArrived, releasedStatus } from './stages.ts';
import { liveOutcome } from './switching.ts';

const LOOK_AGAIN_MS = 5_000;

/**
 * What a migration that is over leaves behind: before the switch the container is given back to the source; after it, the
 * claim stays until one copy is known to be the one that runs, however long that takes.
 */
export function planSettling(facts: MigrationFacts): MigrationStep {
  const { migration, container } = facts;
  const claim = claimOf(migration, container);
  if (claim === undefined || container === undefined) return letGo(facts);
  switch (claim.stage) {
    case 'Copying':
    case 'Held':
      return { do: 'container', what: 'release', status: releasedStatus(container, claim) };
    case 'Live':
      return (
        liveOutcome({ ...facts, container, claim }, undefined) ?? {
          do: 'nothing',
          afterMs: LOOK_AGAIN_MS,
        }
      );
    default:
      if (hasArrived(container)) {
        return { do: 'container', what: 'release', status: withoutClaim(container.status ?? {}) };
      }
      return whenTargetIsLost(facts) ?? { do: 'nothing', afterMs: LOOK_AGAIN_MS };
  }
}

function letGo({ migration }: MigrationFacts): MigrationStep {
  return isHeld(migration) ? { do: 'letGo' } : { do: 'nothing' };
}
