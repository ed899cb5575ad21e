import { describe, expect, it } from '@jest/globals';
import type { Change } from '../../../../src/apiserver/auth/authorizer.ts';
import { ownReports, transferSecrets } from '../../../../src/apiserver/auth/node-migrations.ts';
import { SOURCE_LABEL, TRANSFER_SECRET_TYPE } from '../../../../src/crds/migration.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';

const migration = {
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Migration',
  metadata: { name: 'm' },
  status: { phase: 'Copying', source: 'host-1', target: 'host-2' },
} as KubeObject;
const patch = (body: unknown): Change => ({ type: 'patch', patchType: 'merge', body });

describe('what an agent may say of a migration', () => {
  it.each([
    ['the source its report', 'host-1', patch({ status: { sourceReport: { offered: 1 } } }), true],
    [
      'the target its report and the progress',
      'host-2',
      patch({ status: { targetReport: {}, progress: {} } }),
      true,
    ],
    [
      'the source not what the target says',
      'host-1',
      patch({ status: { targetReport: { pass: 1 } } }),
      false,
    ],
    ['the target not that the source has stopped', 'host-2', patch({ status: { sourceReport: {} } }), false],
    ['the target not its phase', 'host-2', patch({ status: { phase: 'Succeeded' } }), false],
    ['nobody by taking the status away', 'host-1', patch({ status: null }), false],
    ['nobody its spec on the way', 'host-1', patch({ spec: {}, status: { sourceReport: {} } }), false],
    ['a third node nothing', 'host-3', patch({ status: { sourceReport: {} } }), false],
    ['nobody by a whole object', 'host-1', { type: 'update', object: migration } as const, false],
  ])('%s', (_, node, change, isAllowed) => {
    expect(ownReports(node).refuse(migration, change) === undefined).toBe(isAllowed);
  });
});

describe('what an agent may do to Secrets', () => {
  const secret = (more: object = {}): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'transfer.host-2.uid', labels: { [SOURCE_LABEL]: 'host-1' } },
      type: TRANSFER_SECRET_TYPE,
      ...more,
    }) as KubeObject;
  const refuse = (verb: string, existing: KubeObject | undefined, change: Change) => {
    const attributes = {
      isResource: true,
      user: { name: '', groups: [] },
      verb,
      group: '',
      version: 'v1',
    } as const;
    const decision = transferSecrets({ ...attributes, resource: 'secrets' }, 'host-1');
    return decision.allowed ? decision.restriction?.refuse(existing, change) : 'denied';
  };

  it.each([
    ['make the keys of its own transfer', secret(), true],
    ["make none in another node's name", secret({ metadata: { name: 'transfer.x', labels: {} } }), false],
    ['make no Secret of another type', secret({ type: 'Opaque' }), false],
    [
      'make none of another name',
      secret({ metadata: { name: 'x', labels: { [SOURCE_LABEL]: 'host-1' } } }),
      false,
    ],
  ])('%s', (_, object, isAllowed) => {
    expect(refuse('create', undefined, { type: 'create', object }) === undefined).toBe(isAllowed);
  });

  it.each([
    ['the data of its own', secret(), { data: { offer: 'x' } }, true],
    ['not who it is from', secret(), { metadata: { labels: {} }, data: {} }, false],
    ["not another's", secret({ type: 'Opaque' }), { data: {} }, false],
  ])('change %s', (_, existing, body, isAllowed) => {
    expect(refuse('patch', existing, patch(body)) === undefined).toBe(isAllowed);
  });
});
