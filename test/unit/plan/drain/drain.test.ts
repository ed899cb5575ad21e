import { describe, expect, it } from '@jest/globals';
import type { Container } from '../../../../src/crds/container.ts';
import type { DrainOptions } from '../../../../src/crds/maintenance.ts';
import { isDrained, planDrain } from '../../../../src/plan/drain/drain.ts';
import { isRestored, planRestore } from '../../../../src/plan/drain/restore.ts';
import { node } from '../../../support/cluster-objects.ts';
import { budget, off, relocationFacts, running, type Surroundings } from '../../../support/relocation.ts';

const drained = node('a', { spec: { maintenance: 'Drain' } });
const labels = { app: 'web' };

function drain(around: Partial<Surroundings>, options: DrainOptions = {}, isReachable = true) {
  const containers = around.containers ?? [];
  const facts = relocationFacts({ nodes: [drained, node('b'), node('c')], ...around, containers });
  return planDrain({
    ...facts,
    node: 'a',
    isReachable,
    options,
    here: containers.filter(({ status }) => status?.nodeName === 'a'),
    away: containers.filter(({ status }) => status?.drainedFrom === 'a' && status.nodeName !== 'a'),
  });
}

const names = (moves: readonly { container: Container; target: string }[]) =>
  moves.map(({ container, target }) => `${container.metadata.name} to ${target}`);

describe('planDrain', () => {
  it('moves everything away, to wherever placement puts it, the more important first', () => {
    const containers = [running('x', 'a'), running('y', 'a', { spec: { priority: 5 } }), off('z', 'a')];
    const plan = drain({ containers });
    expect(plan.moves.map(({ container }) => container.metadata.name)).toEqual(['y', 'x', 'z']);
    expect(plan.moves.every(({ target }) => target === 'b' || target === 'c')).toBe(true);
    expect(plan.counts).toEqual({ total: 3, moved: 0, moving: 3, waiting: 0, stopped: 0, blocked: [] });
    expect(isDrained(plan.counts)).toBe(false);
  });

  it.each<[string, DrainOptions]>([
    ['', {}],
    [', also where what cannot move is to be stopped', { unmovable: 'Stop' }],
  ])(
    'begins nothing from a node whose daemon does not answer, and stops nothing for that%s',
    (_, options) => {
      const nodes = [node('a', { ready: false, spec: { maintenance: 'Drain' } }), node('b')];
      const plan = drain({ nodes, containers: [running('x', 'a'), off('z', 'a')] }, options);
      expect(plan).toMatchObject({ moves: [], stops: [], counts: { total: 2, stopped: 0, moving: 0 } });
      expect(plan.counts.blocked.map(({ reason }) => reason)).toEqual(['NodeNotReady', 'NodeNotReady']);
      expect(isDrained(plan.counts)).toBe(false);
    },
  );

  it('is done when nothing is left, and counts what has gone', () => {
    const gone = running('x', 'b', { status: { drainedFrom: 'a' } });
    const plan = drain({ containers: [gone] });
    expect(plan).toMatchObject({ moves: [], counts: { total: 1, moved: 1 } });
    expect(isDrained(plan.counts)).toBe(true);
  });

  it('is not done while one that runs elsewhere has left its copy', () => {
    const containers = [running('x', 'b', { status: { drainedFrom: 'a' } })];
    const plan = drain({ containers, moving: { x: { source: 'a', target: 'b' } } });
    expect(plan.counts).toMatchObject({ moved: 0, moving: 1 });
    expect(isDrained(plan.counts)).toBe(false);
  });

  it.each([
    ['leave', { outgoingPerNode: 2 }, 2],
    ['go on in the cluster', { outgoingPerNode: 9, incomingPerNode: 9, cluster: 1 }, 1],
    ['come to any node', { outgoingPerNode: 9, incomingPerNode: 1 }, 2],
  ])('begins no more than may %s at once', (_name, limits, count) => {
    const containers = ['v', 'w', 'x', 'y'].map((name) => running(name, 'a'));
    const plan = drain({ containers, limits });
    expect(plan.moves).toHaveLength(count);
    expect(plan.counts).toMatchObject({ moving: count, waiting: 4 - count, blocked: [] });
    expect(plan.afterMs).toBeGreaterThan(0);
  });

  it('counts the migrations that go on already', () => {
    const containers = [running('x', 'a'), running('y', 'a')];
    const moving = { x: { source: 'a', target: 'b' } };
    const plan = drain({ containers, moving, limits: { outgoingPerNode: 1 } });
    expect(plan).toMatchObject({ moves: [], counts: { moving: 1, waiting: 1 } });
  });

  it('takes no more away at once than a budget lets, and goes on when that is back', () => {
    const budgets = [budget('web', labels, 1)];
    const [x, y] = [running('x', 'a', { labels }), running('y', 'a', { labels })];
    const first = drain({ containers: [x, y], budgets });
    expect(first.moves).toHaveLength(1);
    expect(first.counts).toMatchObject({ moving: 1, waiting: 1 });
    const there = running('x', 'b', { labels, status: { drainedFrom: 'a' } });
    expect(drain({ containers: [there, y], budgets }).moves).toHaveLength(1);
  });

  it('keeps apart what is to be apart, also from what is on its way', () => {
    const apart = [{ topologyKey: 'hostler.dev/host', matchLabels: labels }];
    const containers = ['x', 'y', 'z'].map((name) =>
      running(name, 'a', { labels, spec: { placement: { antiAffinity: apart } } }),
    );
    const plan = drain({ containers });
    expect(new Set(plan.moves.map(({ target }) => target))).toEqual(new Set(['b', 'c']));
    expect(plan.counts.blocked).toEqual([
      {
        container: 'default/z',
        reason: 'Unschedulable',
        message: '0/3 nodes fit: 2 did not match anti-affinity, 1 in maintenance',
      },
    ]);
  });

  it('promises the same room only once', () => {
    const resources = { memory: '5Gi' };
    const containers = ['x', 'y', 'z'].map((name) => running(name, 'a', { spec: { resources } }));
    const plan = drain({ containers });
    expect(names(plan.moves).toSorted()).toEqual(
      [`x to ${plan.moves[0]?.target}`, `y to ${plan.moves[1]?.target}`].toSorted(),
    );
    expect(plan.counts.blocked).toMatchObject([{ container: 'default/z', reason: 'Unschedulable' }]);
  });

  it.each<[string, Container, string]>([
    ['its policy forbids it', running('x', 'a', { spec: { migration: { policy: 'Never' } } }), 'PolicyNever'],
    ['a person has pinned it', running('x', 'a', { spec: { placement: { nodeName: 'a' } } }), 'Pinned'],
    [
      'its data is on the host',
      running('x', 'a', { spec: { volumes: [{ name: 'd', pool: 'default', path: '/d' }] } }),
      'VolumeOnNode',
    ],
    ['no node has its pool', running('x', 'a', { spec: { rootPool: 'fast' } }), 'Unschedulable'],
    ['it has failed', running('x', 'a', { status: { phase: 'Failed' } }), 'NotSettled'],
  ])('lists what cannot move: %s; and stops it only if told so', (_name, one, reason) => {
    const left = drain({ containers: [one] });
    expect(left).toMatchObject({
      moves: [],
      stops: [],
      counts: { blocked: [{ container: 'default/x', reason }] },
    });
    expect(isDrained(left.counts)).toBe(false);
    const stopped = drain({ containers: [one] }, { unmovable: 'Stop' });
    expect(stopped).toMatchObject({ moves: [], stops: [one], counts: { waiting: 1, blocked: [] } });
  });

  it('is done when what cannot move is off', () => {
    const never = { migration: { policy: 'Never' as const } };
    const kept = running('x', 'a', { spec: never, status: { phase: 'Stopped', stoppedFor: 'Maintenance' } });
    const plan = drain({ containers: [kept, off('y', 'a', never)] }, { unmovable: 'Stop' });
    expect(plan).toMatchObject({ stops: [], counts: { total: 2, stopped: 2, blocked: [] } });
    expect(isDrained(plan.counts)).toBe(true);
  });

  it('stops nothing that a budget needs', () => {
    const one = running('x', 'a', { labels, spec: { migration: { policy: 'Never' } } });
    const plan = drain({ containers: [one], budgets: [budget('web', labels, 0)] }, { unmovable: 'Stop' });
    expect(plan).toMatchObject({ stops: [], counts: { blocked: [{ reason: 'DisruptionBudget' }] } });
  });

  it('starts again what was stopped when that is taken back', () => {
    const kept = running('x', 'a', {
      spec: { migration: { policy: 'Never' } },
      status: { phase: 'Stopped', stoppedFor: 'Maintenance' },
    });
    expect(drain({ containers: [kept] }, { unmovable: 'Leave' }).starts).toEqual([kept]);
  });

  it('waits for what is between two states', () => {
    const plan = drain({ containers: [running('x', 'a', { status: { phase: 'Starting' } })] });
    expect(plan).toMatchObject({ moves: [], counts: { waiting: 1, blocked: [] } });
  });

  it('tries a migration again that has failed, in its time', () => {
    const containers = [running('x', 'a')];
    const failure = { attempts: 2, message: 'no route', retryAfterMs: 7_000 };
    const held = drain({ containers, failures: { x: failure } });
    expect(held).toMatchObject({ moves: [], afterMs: 7_000 });
    expect(held.counts.blocked).toEqual([
      {
        container: 'default/x',
        reason: 'MigrationFailed',
        message: 'Its migration failed 2 times: no route',
      },
    ]);
    expect(drain({ containers, failures: { x: { ...failure, retryAfterMs: 0 } } }).moves).toHaveLength(1);
  });

  it.each([
    [1, 0],
    [3, 1],
  ])('after %d failures in a row stops %d when told to stop what cannot move', (attempts, stops) => {
    const failures = { x: { attempts, message: 'no', retryAfterMs: 1_000 } };
    const plan = drain({ containers: [running('x', 'a')], failures }, { unmovable: 'Stop' });
    expect(plan.stops).toHaveLength(stops);
  });

  it('leaves everything to the failover when the node is lost', () => {
    const plan = drain({ containers: [running('x', 'a')] }, { unmovable: 'Stop' }, false);
    expect(plan).toMatchObject({
      moves: [],
      stops: [],
      counts: { blocked: [{ reason: 'NodeUnreachable' }] },
    });
  });
});

describe('planRestore', () => {
  const gone = (name: string, nodeName = 'b') => running(name, nodeName, { status: { drainedFrom: 'a' } });
  const restore = (around: Partial<Surroundings>, options: DrainOptions = {}, before = 0) => {
    const containers = around.containers ?? [];
    const facts = relocationFacts({ nodes: [node('a'), node('b')], ...around, containers });
    return planRestore(
      {
        ...facts,
        node: 'a',
        isReachable: true,
        options,
        here: containers.filter(({ status }) => status?.nodeName === 'a'),
        remembered: containers.filter(({ status }) => status?.drainedFrom === 'a'),
      },
      before,
    );
  };

  it('brings back what was moved away, and nothing else', () => {
    const plan = restore({ containers: [gone('x'), running('y', 'b')] });
    expect(names(plan.moves)).toEqual(['x to a']);
    expect(plan.counts).toMatchObject({ total: 1, moved: 0, moving: 1 });
    expect(isRestored(plan)).toBe(false);
  });

  it('forgets where it came from once it is back', () => {
    const back = gone('x', 'a');
    const plan = restore({ containers: [back] }, {}, 1);
    expect(plan).toMatchObject({ moves: [], forgets: [back], counts: { total: 1, moved: 1 } });
    expect(isRestored(plan)).toBe(false);
    expect(isRestored(restore({ containers: [running('x', 'a')] }, {}, 1))).toBe(true);
  });

  it('leaves everything where it is when told so, and waits for what is on its way', () => {
    const containers = [gone('x'), gone('y')];
    const plan = restore({ containers, moving: { y: { source: 'b', target: 'a' } } }, { restore: 'Skip' });
    expect(plan).toMatchObject({ moves: [], forgets: [containers[0]], counts: { moving: 1 } });
  });

  it('starts what was stopped, whether or not anything comes back', () => {
    const kept = running('x', 'a', { status: { phase: 'Stopped', stoppedFor: 'Maintenance' } });
    expect(restore({ containers: [kept] }, { restore: 'Skip' }).starts).toEqual([kept]);
  });

  it('says what cannot come back', () => {
    const plan = restore({ containers: [gone('x')], nodes: [node('b')] });
    expect(plan.counts.blocked).toMatchObject([
      { reason: 'Unschedulable', message: '0/1 nodes fit: 1 where it is now' },
    ]);
  });
});
