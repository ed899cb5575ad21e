import { describe, expect, it } from '@jest/globals';
import {
  type ContainerFacts,
  failureBackoffMs,
  planContainer,
  type Step,
  type StepFailure,
} from '../../../../src/plan/lifecycle/container.ts';
import { RESTARTED_AT_ANNOTATION } from '../../../../src/plan/lifecycle/record.ts';
import { facts, instance, NOW_MS, placed, record } from './facts.ts';

const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const restartAsked = { annotations: { [RESTARTED_AT_ANNOTATION]: 'now' } };
const ended = { history: { inARow: 0, endedAtMs: NOW_MS } };
const failure: StepFailure = {
  step: 'create',
  reason: 'FailedCreate',
  message: 'no',
  cause: 'a',
  retryAfterMs: 700,
};

const rows: [string, Partial<ContainerFacts>, Partial<Step>][] = [
  ['does nothing when all is as it should be', {}, { do: 'nothing' }],
  [
    'waits for what runs since a moment ago to last',
    { record: record({ history: { inARow: 0, seenSinceMs: NOW_MS - 500 } }) },
    { do: 'wait', reason: 'JustStarted', afterMs: 1_500 },
  ],
  [
    'does nothing to what has lasted',
    { record: record({ history: { inARow: 0, seenSinceMs: NOW_MS - 2_000 } }) },
    { do: 'nothing' },
  ],
  [
    'does not wait for a clock that was set back',
    { record: record({ history: { inARow: 0, seenSinceMs: NOW_MS + 60_000 } }) },
    { do: 'nothing' },
  ],
  [
    'waits while a run that has ended is shown again',
    { record: record(ended) },
    { do: 'wait', reason: 'Ending' },
  ],
  [
    'updates what has just been started, if it is behind',
    {
      seen: instance({ mark: { uid: 'uid-web', epoch: 1, generation: 1 } }),
      record: record({ history: { inARow: 0, seenSinceMs: NOW_MS } }),
    },
    { do: 'update' },
  ],
  [
    'ignores what is placed elsewhere',
    { container: placed({}, {}, { nodeName: 'host-2' }) },
    { do: 'ignore' },
  ],
  ['ignores what is not placed', { container: placed({}, {}, { nodeName: '' }) }, { do: 'ignore' }],
  ['ignores an epoch below the highest', { highestEpoch: 3 }, { do: 'ignore', reason: 'StaleEpoch' }],
  ['waits while the host is unknown', { seen: 'unknown' }, { do: 'wait', reason: 'HostUnavailable' }],
  [
    'waits while the host is unknown, even to delete',
    { seen: 'unknown', container: placed({}, gone) },
    { do: 'wait', reason: 'HostUnavailable' },
  ],
  [
    'stops what the maintenance of its node stops',
    { container: placed({}, {}, { stoppedFor: 'Maintenance' }) },
    { do: 'stop', because: 'PoweredOff' },
  ],
  [
    'does not take the end of that stop for one by itself',
    {
      container: placed({}, {}, { stoppedFor: 'Maintenance' }),
      seen: instance({ status: 'Stopped' }),
      record: record(ended),
    },
    { do: 'nothing' },
  ],
  [
    'starts it again once the maintenance has ended',
    { seen: instance({ status: 'Stopped' }), record: record({ power: 'Stopped' }) },
    { do: 'start' },
  ],
  ['creates and starts what is absent', { seen: 'absent' }, { do: 'create', start: true }],
  [
    'creates without a start what is to be Stopped',
    { seen: 'absent', container: placed({ power: 'Stopped' }) },
    { do: 'create', start: false },
  ],
  [
    'creates nothing from what the disk remembers',
    { seen: 'absent', source: 'disk' },
    { do: 'wait', reason: 'ApiUnavailable' },
  ],
  [
    'creates nothing with settings that are not allowed',
    { seen: 'absent', forbiddenConfig: ['raw.lxc'] },
    { do: 'wait', reason: 'ConfigNotAllowed' },
  ],
  [
    'holds a failed step back',
    { seen: 'absent', failure },
    { do: 'wait', reason: 'FailedCreate', afterMs: 700 },
  ],
  [
    'tries a failed step again when its time has come',
    { seen: 'absent', failure: { ...failure, retryAfterMs: 0 } },
    { do: 'create' },
  ],
  [
    'tries a failed step again at once when what it depends on has changed',
    { seen: 'absent', failure, cause: 'b' },
    { do: 'create' },
  ],
  [
    'does not hold back another step',
    { seen: instance({ status: 'Stopped' }), failure, record: record({ power: 'New' }) },
    { do: 'start' },
  ],
  [
    "leaves another's instance alone",
    { seen: { name: 'web--default', status: 'Running' } },
    { do: 'wait', reason: 'NameTaken' },
  ],
  [
    "lifts the finalizer although another's instance has the name",
    { seen: { name: 'web--default', status: 'Running' }, container: placed({}, gone) },
    { do: 'release' },
  ],
  [
    'examines an instance of an earlier Container',
    { seen: instance({ mark: { uid: 'uid-old', epoch: 9, generation: 9 } }) },
    { do: 'examine' },
  ],
  [
    'leaves an instance of an earlier Container alone while the API is away',
    { seen: instance({ mark: { uid: 'uid-old', epoch: 9, generation: 9 } }), source: 'disk' },
    { do: 'wait', reason: 'ApiUnavailable' },
  ],
  [
    'waits while the instance is between two states',
    { seen: instance({ status: 'Busy' }) },
    { do: 'wait', reason: 'Busy' },
  ],
  ['thaws what a live move was cut short over', { seen: instance({ status: 'Freezing' }) }, { do: 'start' }],
  ['leaves a frozen instance to who froze it', { seen: instance({ status: 'Frozen' }) }, { do: 'nothing' }],
  ['updates when the generation is behind', { container: placed({}, { generation: 2 }) }, { do: 'update' }],
  [
    'updates when the epoch is behind',
    { container: placed({}, {}, { epoch: 3 }), highestEpoch: 3 },
    { do: 'update' },
  ],
  [
    'does not update to settings that are not allowed',
    { container: placed({}, { generation: 2 }), forbiddenConfig: ['raw.lxc'] },
    { do: 'nothing' },
  ],
  [
    'does not update from what the disk remembers',
    { container: placed({}, { generation: 2 }), source: 'disk' },
    { do: 'nothing' },
  ],
  [
    'updates before it starts',
    {
      container: placed({}, { generation: 2 }),
      seen: instance({ status: 'Stopped' }),
      record: record(ended),
    },
    { do: 'update' },
  ],
  [
    'starts what ended although its update fails',
    {
      container: placed({}, { generation: 2 }),
      seen: instance({ status: 'Stopped' }),
      record: record(ended),
      failure: { ...failure, step: 'update' },
    },
    { do: 'start' },
  ],
  [
    'says that the update of what runs fails',
    {
      container: placed({}, { generation: 2 }),
      failure: { ...failure, step: 'update', reason: 'FailedUpdate' },
    },
    { do: 'wait', reason: 'FailedUpdate' },
  ],
  [
    'stops what is to be Stopped, before it updates it',
    { container: placed({ power: 'Stopped', stopTimeout: '7s' }, { generation: 2 }) },
    { do: 'stop', because: 'PoweredOff', graceMs: 7_000 },
  ],
  [
    'updates what is Stopped',
    { container: placed({ power: 'Stopped' }, { generation: 2 }), seen: instance({ status: 'Stopped' }) },
    { do: 'update' },
  ],
  [
    'leaves Stopped what is to be Stopped, whatever ended it',
    { container: placed({ power: 'Stopped' }), seen: instance({ status: 'Stopped' }), record: record(ended) },
    { do: 'nothing' },
  ],
  [
    'starts what was stopped on purpose',
    { seen: instance({ status: 'Stopped' }), record: record({ power: 'Stopped' }) },
    { do: 'start' },
  ],
  [
    'restarts what ended by itself',
    { seen: instance({ status: 'Stopped' }), record: record(ended) },
    { do: 'start' },
  ],
  [
    'restarts what ended by itself from what the disk remembers',
    { seen: instance({ status: 'Stopped' }), record: record(ended), source: 'disk' },
    { do: 'start' },
  ],
  [
    'asks the API first where the disk does not know that it was ever started: it may be an end',
    { seen: instance({ status: 'Stopped' }), record: record({ power: 'New' }), source: 'disk' },
    { do: 'wait', reason: 'ApiUnavailable' },
  ],
  [
    'waits out the back-off',
    {
      seen: instance({ status: 'Stopped' }),
      record: record({ history: { inARow: 3, endedAtMs: NOW_MS - 1_000 } }),
    },
    { do: 'wait', reason: 'BackOff', afterMs: 3_000 },
  ],
  [
    'does not restart with policy Never',
    {
      container: placed({ restart: { policy: 'Never' } }),
      seen: instance({ status: 'Stopped' }),
      record: record(ended),
    },
    { do: 'nothing' },
  ],
  [
    'starts what ended when a person asks for a restart, whatever the policy',
    {
      container: placed({ restart: { policy: 'Never' } }, restartAsked),
      seen: instance({ status: 'Stopped' }),
      record: record(ended),
    },
    { do: 'start' },
  ],
  [
    'restarts with OnFailure what failed',
    {
      container: placed({ restart: { policy: 'OnFailure' } }),
      seen: instance({ status: 'Stopped' }),
      record: record({ history: { inARow: 0, endedAtMs: NOW_MS, end: { kind: 'error', message: 'x' } } }),
    },
    { do: 'start' },
  ],
  [
    'leaves down with OnFailure what ended well',
    {
      container: placed({ restart: { policy: 'OnFailure' } }),
      seen: instance({ status: 'Stopped' }),
      record: record({ history: { inARow: 0, endedAtMs: NOW_MS, end: { kind: 'clean', message: 'x' } } }),
    },
    { do: 'nothing' },
  ],
  [
    'stops for a restart that was asked for',
    { container: placed({}, restartAsked) },
    { do: 'stop', because: 'Restarting', graceMs: 30_000 },
  ],
  [
    'restarts once for each new value',
    { container: placed({}, restartAsked), record: record({ restartedAt: 'now' }) },
    { do: 'nothing' },
  ],
  [
    'updates before it restarts',
    { container: placed({}, { ...restartAsked, generation: 2 }) },
    { do: 'update' },
  ],
  [
    'stops what is deleted',
    { container: placed({}, gone) },
    { do: 'stop', because: 'Deleted', graceMs: 30_000 },
  ],
  [
    'removes what is deleted and stopped',
    { container: placed({}, gone), seen: instance({ status: 'Stopped' }) },
    { do: 'delete' },
  ],
  [
    'removes nothing from what the disk remembers',
    { container: placed({}, gone), seen: instance({ status: 'Stopped' }), source: 'disk' },
    { do: 'wait', reason: 'ApiUnavailable' },
  ],
  ['lifts the finalizer last', { container: placed({}, gone), seen: 'absent' }, { do: 'release' }],
  [
    'does nothing once the finalizer is lifted',
    { container: placed({}, { ...gone, finalizers: ['other'] }), seen: 'absent' },
    { do: 'nothing' },
  ],
];

describe('planContainer', () => {
  it.each(rows)('%s', (_sentence, more, expected) => {
    expect(planContainer(facts(more))).toMatchObject(expected);
  });
});

describe('failureBackoffMs', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [5, 16_000],
    [6, 30_000],
    [5_000, 30_000],
  ])('after %d failures: %d ms', (failures, ms) => expect(failureBackoffMs(failures)).toBe(ms));
});
