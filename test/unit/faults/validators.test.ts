import { describe, expect, it } from '@jest/globals';
import { whatIsMissing } from '../../faults/converged.ts';
import type { Call, Seen } from '../../faults/record.ts';
import { type Finding, RULES } from '../../faults/validate/finding.ts';
import { findStopped } from '../../faults/validate/outage.ts';
import { findUnsaved, findWritesAtRest } from '../../faults/validate/rest.ts';
import { validate } from '../../faults/validate/validate.ts';
import {
  at,
  beat,
  containerEvent,
  lease,
  leaseEvent,
  nodeEvent,
  placed,
  recordOf,
  type Run,
  soundRun,
} from './sound-run.ts';

const rulesOf = (findings: readonly Finding[]): string[] => [...new Set(findings.map(({ rule }) => rule))];
const shown = (run: Run, ...events: Seen[]): void => {
  run.history.push(...events);
  for (const watch of run.watches) watch.events.push(...events);
};
const moved = (node: string, epoch: number, counter = 2) => placed({ node, epoch, counter });

/** One fault in an otherwise sound record, and the one rule that must find it. */
const SPOILED: [string, Finding['rule'], (run: Run) => void][] = [
  [
    'a host that goes on writing after another has begun',
    'one live writer',
    ({ beats, faults }) => {
      faults.length = 0;
      beats.push(beat('host-1', 'a', 12_100));
    },
  ],
  [
    'a move while the host held its lease',
    'no start without proof',
    ({ history, watches }) => {
      history.splice(3, 1);
      for (const { events } of watches) events.splice(3, 1);
    },
  ],
  [
    'a move back whose epoch did not grow',
    'no start without proof',
    (run) => shown(run, containerEvent('MODIFIED', at(12_500, 7), moved('host-1', 2))),
  ],
  [
    'a start on the host that has lost the container',
    'no start without proof',
    ({ beats, faults }) => {
      faults.length = 0;
      beats.push(beat('host-1', 'c', 14_000));
    },
  ],
  [
    'a start on shared storage on the host that has lost the container, which says only later where it is',
    'no start without proof',
    ({ beats, faults }) => {
      faults.length = 0;
      beats.push(beat('?', 'c', 14_000), beat('host-1', 'c', 14_200));
    },
  ],
  [
    'a lease that was revoked too soon',
    'no hasty revocation',
    ({ history }) => Object.assign(history[2] as Seen, { object: lease('host-1', 3_000) }),
  ],
  [
    'a lease that was revoked although no guard was armed',
    'no hasty revocation',
    ({ history }) => Object.assign(history[2] as Seen, { object: lease('host-1', 1_000, { guard: 'no' }) }),
  ],
  [
    'a lease that was revoked too soon, of an agent whose clock was set back',
    'no hasty revocation',
    (run) => {
      run.faults.push({ what: 'set-clock-agent', host: 'host-1', fromMs: 2_500, toMs: 20_000 });
      const other = leaseEvent('ADDED', at(3_000, 2.5), lease('host-2', 3_000, { name: 'host-2' }));
      run.history.splice(2, 0, other);
      Object.assign(run.history[3] as Seen, at(3_100, 3), { object: lease('host-1', -3_600_000) });
      for (const watch of run.watches) watch.events = [...run.history];
    },
  ],
  [
    'a host that is cut off and runs on for longer than its lease may last',
    'a cut-off host stops in time',
    ({ beats }) => beats.splice(3, 0, beat('host-1', 'a', 9_300)),
  ],
  [
    'a host that only the API does not hear, and that runs on for longer than its lease may last',
    'a cut-off host stops in time',
    ({ beats, faults }) => {
      Object.assign(faults[0] as object, { what: 'cut-api' });
      beats.splice(3, 0, beat('host-1', 'a', 9_300));
    },
  ],
  [
    'an acknowledged write that the store never had',
    'no write is lost',
    ({ calls }) => calls.push({ ...(calls[0] as Call), counter: 3, revision: 7 }),
  ],
  [
    'an acknowledged write with something else in its place',
    'no write is lost',
    ({ calls }) => Object.assign(calls[0] as Call, { counter: 7 }),
  ],
  [
    'a write that is undone',
    'no write is lost',
    (run) => shown(run, containerEvent('MODIFIED', at(9_500, 7), moved('host-2', 2, 1))),
  ],
  [
    'an acknowledged deletion that did not happen',
    'no write is lost',
    ({ calls }) => calls.push({ container: 'web', verb: 'delete', begunMs: 1, endedMs: 2, outcome: 'done' }),
  ],
  [
    'a watch that goes back',
    'watches are in order',
    ({ watches }) => {
      const events = watches[1]?.events as Seen[];
      events.push(events.at(-1) as Seen);
    },
  ],
  [
    'a watch that says of an object that is there that it is new',
    'watches are in order',
    (run) => shown(run, containerEvent('ADDED', at(12_500, 7), moved('host-2', 2))),
  ],
  [
    'an event that neither of the watches has',
    'watches are complete',
    ({ watches }) => {
      for (const { events } of watches) events.splice(4, 1);
    },
  ],
  [
    'an event that one of the watches has made up',
    'watches are complete',
    ({ watches, history }) => {
      const event = containerEvent('MODIFIED', at(9_450, 6), moved('host-2', 2));
      watches[1]?.events.splice(5, 0, { ...event, revision: 5.5 });
      expect(history).toHaveLength(6);
    },
  ],
  [
    'a list after a gap that lacks a change',
    'watches are complete',
    (run) => {
      run.watches[0]?.events.splice(4, 1);
      run.watches[0]?.gaps.push({ kind: 'Container', from: 1, to: 5 });
    },
  ],
  [
    'a disk that was full, with something to save, of which nothing was said',
    'a full disk is told',
    (run) => {
      run.faults.push({ what: 'fill-disk', host: 'host-2', fromMs: 20_000, toMs: 30_000 });
      const object = placed({ node: 'host-2', epoch: 2, counter: 2, restartedAt: 'now' });
      shown(run, containerEvent('MODIFIED', at(21_000, 7), object));
    },
  ],
  [
    'a disk that is said to be full long after it is not',
    'a full disk is told',
    (run) => {
      run.faults.push({ what: 'fill-disk', host: 'host-2', fromMs: 20_000, toMs: 30_000 });
      shown(run, nodeEvent(at(22_000, 7), 'True'), nodeEvent(at(23_000, 8), 'False'));
      for (const { events } of run.watches) events.splice(-2, 2);
    },
  ],
];

describe('the validators', () => {
  it('find nothing in a failover as it should be', () => {
    expect(validate(recordOf(soundRun()))).toEqual([]);
  });

  it.each(SPOILED)('find %s', (_, rule, spoil) => {
    const run = soundRun();
    spoil(run);
    expect(rulesOf(validate(recordOf(run)))).toEqual([rule]);
  });

  it('take a move for proven when the host was let in again under a new term before it', () => {
    const run = soundRun();
    const again = leaseEvent('MODIFIED', at(9_015, 4.5), lease('host-1', 9_015, { term: 2 }));
    run.history.splice(4, 0, again);
    for (const { events } of run.watches) events.splice(4, 0, again);
    expect(validate(recordOf(run))).toEqual([]);
  });

  it('let a host that only the API does not hear run on while others are cut off from it too', () => {
    const run = soundRun();
    run.faults = [
      { what: 'cut-api', host: 'host-1', fromMs: 1_100, toMs: 13_000 },
      { what: 'cut-api', host: 'host-2', fromMs: 1_000, toMs: 12_000 },
    ];
    run.beats.splice(3, 0, beat('host-1', 'a', 9_300));
    expect(validate(recordOf(run))).toEqual([]);
  });

  it('take a deletion for done when the store shows it', () => {
    const run = soundRun();
    run.calls.push({ container: 'web', verb: 'delete', begunMs: 1, endedMs: 2, outcome: 'done' });
    const leaving = placed({ node: 'host-2', epoch: 2, counter: 2, isLeaving: true });
    shown(run, containerEvent('MODIFIED', at(12_100, 7), leaving));
    expect(validate(recordOf(run))).toEqual([]);
  });
});

describe('what is looked at beside the record', () => {
  const outage = { name: 'x', fromMs: 200, toMs: 9_000, hurtHosts: [] as string[] };

  it('finds a container that an outage has stopped, unless its own host was hurt too', () => {
    const beats = new Map([['web', soundRun().beats.slice(0, 2)]]);
    expect(rulesOf(findStopped(beats, outage, () => true))).toEqual(['an outage stops nothing']);
    expect(findStopped(beats, { ...outage, hurtHosts: ['host-1'] }, () => true)).toEqual([]);
    expect(findStopped(beats, { ...outage, hurtHosts: ['host-1'] }, () => false)).toHaveLength(1);
  });

  it('finds a container that an outage has restarted, and none that ran through it', () => {
    const through = [100, 3_000, 6_000, 9_000].map((atMs) => beat('host-1', 'a', atMs));
    const restarted = through.map((one) => (one.atMs > 2_000 ? { ...one, boot: 'b' } : one));
    expect(findStopped(new Map([['web', through]]), outage, () => true)).toEqual([]);
    expect(findStopped(new Map([['web', restarted]]), outage, () => true)).toHaveLength(1);
  });

  it('finds writes of any kind but leases at rest', () => {
    const { history } = soundRun();
    expect(rulesOf(findWritesAtRest(history))).toEqual(['no writes at rest']);
    expect(findWritesAtRest(history.filter(({ kind }) => kind === 'Lease'))).toEqual([]);
  });

  it('finds a file of an agent that is not what is placed on its host', () => {
    const { history } = soundRun();
    const container = placed({ node: 'host-2', epoch: 2, counter: 2 });
    const stale = placed({ node: 'host-2', epoch: 1, counter: 2 });
    const file = (...containers: (typeof container)[]) => ({
      nodeName: 'host-2',
      containers: containers.map((one) => ({ container: one, record: {} as never })),
      epochs: {},
    });
    expect(findUnsaved('host-2', file(container), history)).toEqual([]);
    const bad = [undefined, file(), file(stale)];
    for (const state of bad)
      expect(rulesOf(findUnsaved('host-2', state, history))).toEqual(['the desired state is saved']);
    expect(findUnsaved('host-1', file(container), history)).toHaveLength(1);
  });

  it('does not take a cluster for converged in which something is missing', () => {
    const conditions = [{ type: 'Ready', status: 'True', reason: 'R', message: '', lastTransitionTime: '' }];
    const ready = { ...nodeEvent(at(1, 8), 'True') };
    Object.assign(ready.object, { status: { conditions } });
    const container = placed({ node: 'host-2', epoch: 2, counter: 2 });
    Object.assign(container.status as object, { observedGeneration: 1, conditions });
    const events = [ready, containerEvent('ADDED', at(1, 9), container)];
    const wanted = { hosts: ['host-2'], names: ['web'], events, beats: { read: () => soundRun().beats } };
    expect(whatIsMissing(wanted, 12_100)).toBeUndefined();
    expect(whatIsMissing(wanted, 20_000)).toMatch(/no heartbeats/);
    expect(whatIsMissing({ ...wanted, names: ['web', 'db'] }, 12_100)).toMatch(/db does not exist/);
    expect(whatIsMissing({ ...wanted, hosts: ['host-2', 'host-3'] }, 12_100)).toMatch(/host-3 is not Ready/);
    const elsewhere = { read: () => [beat('host-1', 'a', 12_000)] };
    expect(whatIsMissing({ ...wanted, beats: elsewhere }, 12_100)).toMatch(/alive on host-1/);
    Object.assign(container.metadata, { generation: 2 });
    expect(whatIsMissing(wanted, 12_100)).toMatch(/web is Running on host-2/);
  });

  it('leaves no rule without a record that it finds fault with', () => {
    const tested = new Set(SPOILED.map(([, rule]) => rule));
    const elsewhere: Finding['rule'][] = [
      'an outage stops nothing',
      'no writes at rest',
      'the desired state is saved',
      // Both by `whatIsMissing`.
      'everything runs at the begin',
      'everything converges',
    ];
    expect(RULES.filter((rule) => !tested.has(rule) && !elsewhere.includes(rule))).toEqual([]);
  });
});
