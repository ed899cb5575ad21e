import { describe, expect, it } from '@jest/globals';
import type { Container } from '../../../../src/crds/container.ts';
import type { MigrationStage } from '../../../../src/crds/container-migration.ts';
import type { Migration, MigrationPhase } from '../../../../src/crds/migration.ts';
import { activeMoves, type MovePart } from '../../../../src/plan/relocation/moves.ts';
import { container } from '../../../support/cluster-objects.ts';

/** It goes from host-1 to host-2; the last thing that it has decided is epoch 3. */
const migration = (phase: MigrationPhase | undefined): Migration => ({
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Migration',
  metadata: { name: 'web-1', namespace: 'default' },
  spec: { container: 'web', mode: 'Cold', targetNode: 'host-2' },
  ...(phase === undefined ? {} : { status: { phase, source: 'host-1', target: 'host-2', epoch: 3 } }),
});

const web = (nodeName: string, epoch: number, stage?: MigrationStage): Container => {
  const claim = {
    name: 'web-1',
    uid: 'uid-1',
    source: 'host-1',
    target: 'host-2',
    transfer: 'Copy',
  } as const;
  const status = { nodeName, epoch, ...(stage === undefined ? {} : { migration: { ...claim, stage } }) };
  return { ...container('web'), status };
};

describe('activeMoves', () => {
  it.each<[string, Container, MigrationPhase | undefined, MovePart | undefined]>([
    ['a Migration that nobody has looked at is a copy to come', web('host-1', 1), undefined, 'Copying'],
    ['as is one that waits', web('host-1', 1), 'Pending', 'Copying'],
    ['what is copied', web('host-1', 1, 'Copying'), 'Copying', 'Copying'],
    ['what has stopped for its last pass', web('host-1', 2, 'Held'), 'SwitchingOver', 'Switching'],
    ['whose memory is copied', web('host-2', 2, 'Live'), 'SwitchingOver', 'Copying'],
    ['what the target may run', web('host-2', 3, 'Switched'), 'Completing', 'Arrived'],
    ['what runs there, while the copy at the source goes', web('host-2', 3), 'Completing', 'Arrived'],
    ['what is over', web('host-2', 3), 'Succeeded', undefined],
    ['what is over, of a container that was read before', web('host-1', 2), 'Succeeded', 'Arrived'],
  ])('%s', (_, moved, phase, part) => {
    const move = activeMoves([moved], [migration(phase)], []).get('default/web');
    expect(move).toEqual(part === undefined ? undefined : { source: 'host-1', target: 'host-2', part });
  });

  it('counts what was asked for and is not seen yet as a copy', () => {
    const asked = { key: 'default/web', source: 'host-1', target: 'host-2' };
    expect(activeMoves([web('host-1', 1)], [], [asked]).get('default/web')?.part ?? 'Copying').toBe(
      'Copying',
    );
  });
});
