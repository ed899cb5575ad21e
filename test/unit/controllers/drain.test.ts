import { afterEach, describe, expect, it } from '@jest/globals';
import { findCondition } from '../../../src/crds/conditions.ts';
import { clusterPolicyKind } from '../../../src/crds/cluster-policy.ts';
import { type DisruptionBudget, disruptionBudgetKind } from '../../../src/crds/disruption-budget.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { type Migration, migrationKind } from '../../../src/crds/migration.ts';
import { nodeKind } from '../../../src/crds/node.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { leaseRef } from '../../../src/crds/lease.ts';
import { node, storagePool } from '../../support/cluster-objects.ts';
import { type DrainTrial, startDrains } from '../../support/drain-trial.ts';
import { budget, off, running } from '../../support/relocation.ts';

const { signal } = new AbortController();
let trial: DrainTrial;
const hosts = ['a', 'b', 'c'].map((name) => node(name));
const start = async (...objects: KubeObject[]) => {
  trial = await startDrains(storagePool(), ...objects);
};
afterEach(() => trial.stop());

const drainOf = (name = 'a') => trial.node(name).status?.drain;
const condition = (name = 'a') => findCondition(trial.node(name).status?.conditions, 'Drained');
const migrations = () => trial.store.all<Migration>(migrationKind);
const never = { migration: { policy: 'Never' as const } };
const limits = (most: number): KubeObject & { spec: object } => ({
  apiVersion: API_VERSION,
  kind: 'ClusterPolicy',
  metadata: { name: 'cluster', uid: 'uid-policy', generation: 1 },
  spec: { migration: { outgoingPerNode: most, incomingPerNode: most } },
});

describe('a drain', () => {
  it('moves everything away, some at a time, says how far it is, and then does nothing more', async () => {
    await start(...hosts, running('x', 'a'), running('y', 'a'), running('z', 'a'), running('w', 'b'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    expect(trial.active()).toHaveLength(2);
    expect(drainOf()).toMatchObject({ phase: 'Draining', total: 3, moved: 0, moving: 2, waiting: 1 });
    expect(await trial.succeedAll()).toBe(3);
    expect(drainOf()).toMatchObject({ phase: 'Drained', total: 3, moved: 3, moving: 0, waiting: 0 });
    expect(drainOf()?.completedAt).toBeDefined();
    expect(condition()).toMatchObject({ status: 'True', reason: 'Drained' });
    expect(trial.container('w').status).toMatchObject({ nodeName: 'b' });
    const writes = trial.store.writes().length;
    await trial.settle(60_000);
    expect(trial.store.writes()).toHaveLength(writes);
  });

  it('makes each Migration owned by its container, named after why it is made', async () => {
    await start(...hosts, running('x', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain', drain: { mode: 'Cold' } });
    const [migration] = trial.active();
    expect(migration).toMatchObject({
      metadata: {
        namespace: 'default',
        labels: { 'hostler.dev/cause': 'drain', 'hostler.dev/cause-node': 'a', 'hostler.dev/attempt': '1' },
        ownerReferences: [{ kind: 'Container', name: 'x', uid: 'uid-x' }],
      },
      spec: { container: 'x', mode: 'Cold' },
    });
    expect(migration?.metadata.name).toMatch(/^x-drain-[0-9a-f]{8}-1$/);
    expect(trial.container('x').status?.drainedFrom).toBe('a');
    expect(trial.events.filter((event) => event.startsWith('Normal Relocating default/x'))).toHaveLength(1);
  });

  it('goes on under another leader, without a second Migration for anything', async () => {
    await start(limits(1), ...hosts, running('x', 'a'), running('y', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    const asked = trial.asked();
    await trial.changeLeader();
    await trial.settle(5_000);
    expect(trial.asked()).toEqual(asked);
    expect(await trial.succeedAll()).toBe(2);
    expect(migrations()).toHaveLength(2);
    expect(drainOf()?.phase).toBe('Drained');
  });

  it.each<[string, (faults: DrainTrial['store']['faults']) => void]>([
    [
      'the answer to the create is lost',
      (faults) => faults.loseReply({ verb: 'create', resource: 'migrations' }),
    ],
    [
      'the create fails once',
      (faults) => faults.failNext('Unavailable', { verb: 'create', resource: 'migrations' }),
    ],
    [
      'somebody else has written the container meanwhile',
      (faults) => faults.failNext('Conflict', { verb: 'updateStatus', resource: 'containers' }),
    ],
  ])('makes one Migration when %s', async (_name, breakIt) => {
    await start(...hosts, running('x', 'a'));
    breakIt(trial.store.faults);
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.settle(40_000);
    expect(trial.active()).toHaveLength(1);
    expect(migrations()).toHaveLength(1);
  });

  it('keeps a budget together with another drain', async () => {
    const labels = { app: 'web' };
    await start(
      ...hosts,
      node('d'),
      budget('web', labels, 1),
      running('x', 'a', { labels }),
      running('y', 'b', { labels }),
    );
    await Promise.all([
      trial.setSpec('a', { maintenance: 'Drain' }),
      trial.setSpec('b', { maintenance: 'Drain' }),
    ]);
    expect(trial.active()).toHaveLength(1);
    await trial.settle(1_000);
    expect(trial.store.all<DisruptionBudget>(disruptionBudgetKind)[0]?.status).toMatchObject({
      expected: 2,
      available: 1,
      allowed: 0,
    });
    expect(await trial.succeedAll()).toBe(2);
  });

  it('lists what cannot move, tells once, and stops it when told so', async () => {
    await start(...hosts, running('x', 'a', { spec: never }), running('y', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.succeedAll();
    expect(drainOf()).toMatchObject({
      phase: 'Draining',
      blocked: [{ container: 'default/x', reason: 'PolicyNever', message: 'spec.migration.policy is Never' }],
    });
    expect(condition()).toMatchObject({
      reason: 'Blocked',
      message: '1 of 2 moved; cannot move: default/x: spec.migration.policy is Never',
    });
    await trial.settle(30_000);
    expect(trial.events.filter((event) => event.startsWith('Warning Blocked a:'))).toHaveLength(1);
    await trial.setSpec('a', { drain: { unmovable: 'Stop' } });
    expect(trial.container('x').status?.stoppedFor).toBe('Maintenance');
    await trial.patchStatus('x', { phase: 'Stopped', conditions: [] });
    await trial.settle();
    expect(drainOf()).toMatchObject({ phase: 'Drained', stopped: 1, moved: 1 });
    expect(drainOf()?.blocked).toBeUndefined();
  });

  it('tries again what failed, later each time, and at once when it is asked for anew', async () => {
    await start(...hosts, running('x', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.fail('x', 'no route to host');
    expect(drainOf()?.blocked).toMatchObject([
      { reason: 'MigrationFailed', message: 'Its migration failed once: no route to host' },
    ]);
    expect(trial.active()).toEqual([]);
    await trial.settle(20_000);
    expect(trial.active().map(({ metadata }) => metadata.labels?.['hostler.dev/attempt'])).toEqual(['2']);
    await trial.fail('x', 'no route to host');
    await trial.settle(20_000);
    expect(trial.active()).toEqual([]);
    await trial.setSpec('a', { drain: { mode: 'Cold' } });
    expect(trial.active()).toHaveLength(1);
  });

  it('moves nothing more from a node that is lost, and says so', async () => {
    await start(...hosts, lostLease('a'), running('x', 'a'));
    await trial.store.mergePatch(
      nodeKind,
      { name: 'a' },
      { body: { status: { conditions: [unknown] } }, subresource: 'status' },
      signal,
    );
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.settle(3_000);
    expect(trial.active()).toEqual([]);
    expect(drainOf()?.blocked).toMatchObject([{ container: 'default/x', reason: 'NodeUnreachable' }]);
    // The failover has placed it elsewhere.
    await trial.patchStatus('x', { nodeName: 'b', epoch: 2 });
    await trial.settle(3_000);
    expect(drainOf()?.phase).toBe('Drained');
  });

  it('writes nothing once this replica does not lead any more', async () => {
    await start(...hosts, running('x', 'a'));
    trial.isLeading = false;
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.settle(5_000);
    expect(migrations()).toEqual([]);
    expect(drainOf()).toBeUndefined();
  });
});

describe('the end of a maintenance', () => {
  const drained = async (...more: KubeObject[]) => {
    await start(...hosts, running('x', 'a'), off('y', 'a'), ...more);
    await trial.setSpec('a', { maintenance: 'Drain', drain: { unmovable: 'Stop' } });
    await trial.succeedAll();
  };

  it('brings everything back, and forgets where it came from', async () => {
    await drained();
    await trial.setSpec('a', { maintenance: 'None' });
    expect(drainOf()?.phase).toBe('Restoring');
    expect(trial.asked()).toEqual(['x to a', 'y to a']);
    expect(await trial.succeedAll()).toBe(2);
    for (const name of ['x', 'y']) {
      expect(trial.container(name).status).toMatchObject({ nodeName: 'a' });
      expect(trial.container(name).status?.drainedFrom).toBeUndefined();
    }
    expect(drainOf()).toMatchObject({ phase: 'Restored', total: 2, moved: 2 });
    expect(condition()).toMatchObject({ status: 'False', reason: 'Restored' });
    const writes = trial.store.writes().length;
    await trial.settle(60_000);
    expect(trial.store.writes()).toHaveLength(writes);
  });

  it('leaves everything where it is when told so', async () => {
    await drained();
    await trial.setSpec('a', { maintenance: 'None', drain: { restore: 'Skip' } });
    expect(trial.active()).toEqual([]);
    expect(drainOf()).toMatchObject({ phase: 'Restored' });
    expect(trial.container('x').status?.nodeName).not.toBe('a');
    expect(trial.container('x').status?.drainedFrom).toBeUndefined();
  });

  it('starts what was stopped for it', async () => {
    await drained(running('stay', 'a', { spec: never }));
    expect(trial.container('stay').status?.stoppedFor).toBe('Maintenance');
    await trial.setSpec('a', { maintenance: 'None' });
    expect(trial.container('stay').status?.stoppedFor).toBeUndefined();
  });

  it('in the middle of a drain turns round what has not begun', async () => {
    await start(limits(1), ...hosts, running('x', 'a'), running('y', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    expect(trial.active()).toHaveLength(1);
    await trial.setSpec('a', { maintenance: 'None' });
    expect(await trial.succeedAll()).toBe(2);
    expect(['x', 'y'].map((name) => trial.container(name).status?.nodeName)).toEqual(['a', 'a']);
    expect(drainOf()?.phase).toBe('Restored');
  });

  it('leaves to its own host what is only a guest', async () => {
    await start(node('a'), node('b'), node('c'), running('x', 'a'));
    await trial.setSpec('a', { maintenance: 'Drain' });
    await trial.succeedAll();
    const guest = trial.container('x').status?.nodeName ?? '';
    await trial.setSpec(guest, { maintenance: 'Drain' });
    await trial.succeedAll();
    expect(trial.container('x').status).toMatchObject({ drainedFrom: 'a' });
    await trial.setSpec(guest, { maintenance: 'None' });
    expect(trial.active()).toEqual([]);
    expect(drainOf(guest)?.phase).toBe('Restored');
    await trial.setSpec('a', { maintenance: 'None' });
    expect(trial.asked()).toEqual(['x to a']);
  });
});

describe('rebalancing', () => {
  const policy = (rebalance: object | undefined): KubeObject & { spec: object } => ({
    ...limits(5),
    spec: rebalance === undefined ? {} : { rebalance },
  });
  const crowd = Array.from({ length: 6 }, (_, index) =>
    running(`c${index}`, 'a', { spec: { resources: { memory: '1Gi' } } }),
  );

  it('is off unless the policy asks for it', async () => {
    await start(policy(undefined), ...hosts, ...crowd);
    await trial.settle(120_000);
    expect(migrations()).toEqual([]);
    await trial.store.mergePatch(
      clusterPolicyKind,
      { name: 'cluster' },
      { body: { spec: { rebalance: {} } } },
      signal,
    );
    await trial.settle(31_000);
    expect(trial.active()).toHaveLength(2);
  });

  it('moves so many in a window, until it is balanced, and then nothing any more', async () => {
    await start(policy({ maxMoves: 1, window: '1m' }), ...hosts, ...crowd);
    const made: number[] = [];
    for (let minute = 0; minute < 12; minute += 1) {
      await trial.settle(60_000);
      await trial.succeedAll();
      made.push(migrations().length);
    }
    expect(Math.max(...made.map((count, index) => count - (made[index - 1] ?? 0)))).toBe(1);
    const byNode = Map.groupBy(crowd, ({ metadata }) => trial.container(metadata.name).status?.nodeName);
    expect([...byNode].map(([, all]) => all.length).toSorted((one, other) => one - other)).toEqual([2, 2, 2]);
    expect(made.at(-1)).toBe(4);
  });

  it('waits while a node is emptied or lost', async () => {
    await start(policy({}), ...hosts, ...crowd, running('stay', 'b', { spec: never }));
    await trial.setSpec('b', { maintenance: 'Drain' });
    await trial.settle(61_000);
    expect(migrations()).toEqual([]);
  });

  it('keeps the budgets', async () => {
    await start(policy({ maxMoves: 5 }), budget('all', {}, 1), ...hosts, ...crowd);
    await trial.settle(31_000);
    expect(trial.active()).toHaveLength(1);
  });
});

const unknown = {
  type: 'Ready',
  status: 'Unknown',
  reason: 'LeaseExpired',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};
const lostLease = (name: string): KubeObject & { spec: object } => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: leaseRef.kind,
  metadata: { name, namespace: 'hostler-nodes' },
  spec: { holderIdentity: '', leaseDurationSeconds: 5, leaseTransitions: 1 },
});
