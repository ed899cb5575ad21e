import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Container } from '../../../../src/crds/container.ts';
import { type ContainerFacts, planContainer, type Step } from '../../../../src/plan/lifecycle/container.ts';
import {
  type ContainerRecord,
  observeInstance,
  recordStarted,
  recordStopping,
  RESTARTED_AT_ANNOTATION,
  type Seen,
  type SeenInstance,
} from '../../../../src/plan/lifecycle/record.ts';
import { containerStatus } from '../../../../src/plan/lifecycle/status.ts';
import { facts, instance, NODE, NOW_MS, placed, record } from './facts.ts';

const ACTIONS = ['create', 'update', 'start', 'stop', 'delete', 'release'];
const isAction = (step: Step) => ACTIONS.includes(step.do);

const anyContainer: fc.Arbitrary<Container> = fc
  .record({
    power: fc.constantFrom('Running' as const, 'Stopped' as const),
    policy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
    deleted: fc.boolean(),
    finalizer: fc.boolean(),
    annotation: fc.constantFrom(undefined, 'x', 'y'),
    generation: fc.integer({ min: 1, max: 3 }),
    epoch: fc.integer({ min: 1, max: 3 }),
    nodeName: fc.constantFrom(NODE, NODE, NODE, 'host-2'),
  })
  .map(({ power, policy, deleted, finalizer, annotation, generation, epoch, nodeName }) =>
    placed(
      { power, restart: { policy } },
      {
        generation,
        ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
        ...(finalizer ? {} : { finalizers: [] }),
        ...(annotation === undefined ? {} : { annotations: { [RESTARTED_AT_ANNOTATION]: annotation } }),
      },
      { epoch, nodeName },
    ),
  );

const anySeen: fc.Arbitrary<Seen> = fc.oneof(
  fc.constantFrom<Seen>('unknown', 'absent'),
  fc
    .record({
      status: fc.constantFrom('Running', 'Stopped', 'Frozen', 'Freezing', 'Error', 'Busy'),
      uid: fc.constantFrom('uid-web', 'uid-web', 'uid-web', 'uid-old', ''),
      generation: fc.integer({ min: 1, max: 3 }),
      epoch: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ status, uid, generation, epoch }): SeenInstance => {
      const { mark: _mark, ...bare } = instance({ status });
      return uid === '' ? bare : { ...bare, mark: { uid, generation, epoch } };
    }),
);

const anyRecord: fc.Arbitrary<ContainerRecord> = fc
  .record({
    power: fc.constantFrom('New' as const, 'Running' as const, 'Stopped' as const),
    restartedAt: fc.constantFrom('', 'x'),
    inARow: fc.integer({ min: 0, max: 5 }),
    ended: fc.boolean(),
  })
  .map(({ power, restartedAt, inARow, ended }) =>
    record({
      power,
      restartedAt,
      history: { inARow, ...(ended && power === 'Running' ? { endedAtMs: NOW_MS - 100_000 } : {}) },
    }),
  );

const anyFacts: fc.Arbitrary<ContainerFacts> = fc
  .record({
    container: anyContainer,
    seen: anySeen,
    record: anyRecord,
    source: fc.constantFrom('api' as const, 'disk' as const),
    highestEpoch: fc.integer({ min: 1, max: 3 }),
    forbiddenConfig: fc.constantFrom([], [], ['raw.lxc']),
  })
  .map((parts) => look({ ...facts(), ...parts }));

/** As the agent looks: the record follows what is seen, the highest epoch what is known. */
function look(at: ContainerFacts): ContainerFacts {
  const now = { ms: at.nowMs, iso: '2026-01-01T00:00:00.000Z' };
  const mark =
    typeof at.seen === 'object' && at.seen.mark?.uid === at.container.metadata.uid ? at.seen.mark : undefined;
  return {
    ...at,
    highestEpoch: Math.max(at.highestEpoch, mark?.epoch ?? 0),
    record: observeInstance(at.record, { container: at.container, seen: at.seen, now }),
  };
}

const nowOf = (ms: number) => ({ ms, iso: new Date(ms).toISOString() });

/** A daemon and an agent that do what the step says. */
function carryOut(at: ContainerFacts, step: Step): ContainerFacts {
  const { container, record: old } = at;
  const nowMs = at.nowMs + 1_000;
  const mark = {
    uid: container.metadata.uid ?? '',
    epoch: container.status?.epoch ?? 0,
    generation: container.metadata.generation ?? 0,
  };
  const run = { lastStartedAt: `run ${nowMs}`, lastStartedAtMs: nowMs };
  const seen = typeof at.seen === 'object' ? at.seen : instance();
  switch (step.do) {
    case 'create':
      return step.start
        ? {
            ...at,
            nowMs,
            seen: { ...instance(), mark, ...run },
            record: recordStarted(old, container, nowOf(nowMs)),
          }
        : { ...at, nowMs, seen: instance({ mark, status: 'Stopped' }), record: { ...old, power: 'Stopped' } };
    case 'update':
      return { ...at, nowMs, seen: { ...seen, mark } };
    case 'start':
      return {
        ...at,
        nowMs,
        seen: { ...seen, status: 'Running', ...run },
        record: recordStarted(old, container, nowOf(nowMs)),
      };
    case 'stop':
      return { ...at, nowMs, seen: { ...seen, status: 'Stopped' }, record: recordStopping(old) };
    case 'delete':
      return { ...at, nowMs, seen: 'absent' };
    case 'release':
      return {
        ...at,
        nowMs,
        container: { ...container, metadata: { ...container.metadata, finalizers: [] } },
      };
    default:
      return at;
  }
}

/** All steps until none is left to take. */
function walk(from: ContainerFacts): { steps: Step[]; end: ContainerFacts } {
  const steps: Step[] = [];
  let at = from;
  for (let i = 0; i < 10; i++) {
    const step = planContainer(at);
    steps.push(step);
    if (step.do === 'wait' && step.reason === 'BackOff')
      at = { ...at, nowMs: at.nowMs + (step.afterMs ?? 0) };
    else if (!isAction(step)) return { steps, end: at };
    else at = look(carryOut(at, step));
  }
  return { steps, end: at };
}

describe('planContainer, whatever the facts', () => {
  it('never acts on what is unknown, not placed here, or below the highest epoch', () => {
    fc.assert(
      fc.property(anyFacts, (at) => {
        const isOut =
          at.seen === 'unknown' ||
          at.container.status?.nodeName !== NODE ||
          (at.container.status.epoch ?? 0) < at.highestEpoch;
        expect(isOut && isAction(planContainer(at))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never touches an instance that is another Container's or nobody's", () => {
    fc.assert(
      fc.property(anyFacts, (at) => {
        const isForeign = typeof at.seen === 'object' && at.seen.mark?.uid !== 'uid-web';
        expect(
          isForeign && ['create', 'update', 'start', 'stop', 'delete'].includes(planContainer(at).do),
        ).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never creates, updates, deletes or releases from what only the disk remembers', () => {
    fc.assert(
      fc.property(anyFacts, (at) => {
        const step = planContainer({ ...at, source: 'disk' });
        expect(['create', 'update', 'delete', 'release', 'examine']).not.toContain(step.do);
      }),
      { numRuns: 2_000 },
    );
  });

  it('comes to rest in a few steps, none of which undoes another, and rests there', () => {
    fc.assert(
      fc.property(anyFacts, (at) => {
        const { steps, end } = walk(at);
        const actions = steps.filter(isAction).map((step) => step.do);
        expect(actions.length).toBeLessThanOrEqual(4);
        expect(new Set(actions).size).toBe(actions.length);
        expect(actions.includes('create') && actions.includes('delete')).toBe(false);
        const undone = steps.some(
          (step, i) => step.do === 'start' && steps.slice(i).some(({ do: next }) => next === 'stop'),
        );
        expect(undone).toBe(false);
        expect(isAction(planContainer(look(end)))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('ends with what the spec asks for, where nothing stands against it', () => {
    fc.assert(
      fc.property(
        anyContainer,
        anyRecord,
        fc.constantFrom('absent', 'Running', 'Stopped'),
        (container, old, state) => {
          fc.pre(container.status?.nodeName === NODE && container.metadata.deletionTimestamp === undefined);
          const { epoch = 0 } = container.status ?? {};
          const mark = { uid: 'uid-web', epoch, generation: 1 };
          const seen: Seen =
            state === 'absent' ? 'absent' : instance({ mark, status: state as SeenInstance['status'] });
          const { end } = walk(look(facts({ container, record: old, seen, highestEpoch: epoch })));
          const mayStay = old.history.endedAtMs !== undefined || old.power === 'Running';
          const policy = container.spec.restart?.policy;
          fc.pre(container.spec.power === 'Stopped' || policy === 'Always' || !mayStay);
          expect(end.seen).toMatchObject({
            status: container.spec.power,
            mark: { generation: container.metadata.generation },
          });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('says Ready only of what runs with the settings of this generation and epoch', () => {
    const now = '2026-01-01T00:00:00.000Z';
    fc.assert(
      fc.property(anyFacts, (at) => {
        const step = planContainer(at);
        // With these nothing is said at all.
        fc.pre(step.do !== 'ignore' && step.do !== 'examine');
        const status = containerStatus(at, step, { addresses: [], now });
        const ready = status.conditions?.find(({ type }) => type === 'Ready');
        const isGood =
          typeof at.seen === 'object' &&
          at.seen.status === 'Running' &&
          at.seen.mark?.uid === at.container.metadata.uid &&
          at.seen.mark?.generation === at.container.metadata.generation &&
          at.seen.mark?.epoch === at.container.status?.epoch &&
          // Neither just started, nor seen to have ended.
          NOW_MS - (at.record.history.seenSinceMs ?? 0) >= 2_000 &&
          at.record.history.endedAtMs === undefined;
        expect(ready?.status === 'True' && !isGood).toBe(false);
        expect(ready?.observedGeneration).toBe(at.container.metadata.generation);
      }),
      { numRuns: 2_000 },
    );
  });

  it('says the same again of the same, so that nothing is written', () => {
    fc.assert(
      fc.property(anyFacts, (at) => {
        const step = planContainer(at);
        const first = containerStatus(at, step, { addresses: ['192.0.2.1'], now: 'then' });
        const container = { ...at.container, status: first };
        const second = containerStatus({ ...at, container }, step, {
          addresses: ['192.0.2.1'],
          now: 'later',
        });
        expect(second).toEqual(first);
      }),
      { numRuns: 1_000 },
    );
  });
});
