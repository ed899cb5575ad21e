import { describe, expect, it } from '@jest/globals';
import type { Container } from '../../src/crds/container.ts';
import type { Lease } from '../../src/crds/lease.ts';
import { GUARD_ANNOTATION, GUARD_ARMED, REVOKED_BY_ANNOTATION } from '../../src/crds/lease.ts';
import { type Beat, type Call, parseBeats, type RunRecord, type Seen } from './record.ts';
import { drawEpisode } from './schedule.ts';
import { COUNTER_ANNOTATION } from './traffic.ts';
import { validate } from './validate/validate.ts';

const HOSTS = ['host-1', 'host-2', 'host-3'];
const beat = (host: string, boot: string, atMs: number): Beat => ({ host, boot, count: 0, atMs });
const at = (atMs: number, revision: number) => ({ atMs, wallMs: atMs, revision });

function placed(nodeName: string, epoch: number, counter: number): Container {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'u',
      annotations: { [COUNTER_ANNOTATION]: String(counter) },
    },
    spec: { image: 'images:none' },
    status: { nodeName, epoch },
  };
}

function lease(holder: string, renewedMs: number, guard = GUARD_ARMED): Lease {
  const annotations = {
    [GUARD_ANNOTATION]: guard,
    ...(holder === '' ? { [REVOKED_BY_ANNOTATION]: 'LeaseExpired' } : {}),
  };
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'host-1', namespace: 'hostler-nodes', uid: 'l', annotations },
    spec: { holderIdentity: holder, renewTime: new Date(renewedMs).toISOString(), leaseDurationSeconds: 5 },
  };
}

const container = (type: 'ADDED' | 'MODIFIED', time: ReturnType<typeof at>, object: Container): Seen => ({
  ...time,
  kind: 'Container',
  type,
  key: 'default/web',
  object,
});
const leaseEvent = (type: 'ADDED' | 'MODIFIED', time: ReturnType<typeof at>, object: Lease): Seen => ({
  ...time,
  kind: 'Lease',
  type,
  key: 'hostler-nodes/host-1',
  object,
});

/** A host is lost, its lease is revoked, and what it ran goes on elsewhere. */
const sound = (): { beats: Beat[]; events: Seen[]; calls: Call[] } => ({
  beats: [beat('host-1', 'a', 100), beat('host-1', 'a', 6_000), beat('host-2', 'b', 9_500)],
  events: [
    container('ADDED', at(0, 1), placed('host-1', 1, 1)),
    leaseEvent('ADDED', at(0, 2), lease('host-1', 0)),
    leaseEvent('MODIFIED', at(1_000, 3), lease('host-1', 1_000)),
    leaseEvent('MODIFIED', at(9_010, 4), lease('', 1_000)),
    container('MODIFIED', at(9_020, 5), placed('host-2', 2, 1)),
    container('MODIFIED', at(9_400, 6), placed('host-2', 2, 2)),
  ],
  calls: [
    {
      container: 'web',
      verb: 'patch',
      counter: 2,
      begunMs: 9_300,
      endedMs: 9_390,
      outcome: 'done',
      revision: 6,
    },
  ],
});

const rulesOf = ({ beats, events, calls }: ReturnType<typeof sound>): string[] => {
  const record: RunRecord = { beats: new Map([['web', beats]]), calls, watches: [{ events, gaps: [] }] };
  return [...new Set(validate(record).map(({ rule }) => rule))];
};

describe('the validators', () => {
  it('find nothing in a failover as it should be', () => {
    expect(rulesOf(sound())).toEqual([]);
  });

  it.each<[string, string, (run: ReturnType<typeof sound>) => void]>([
    [
      'a host that goes on writing after another has begun',
      'one live writer',
      ({ beats }) => beats.push(beat('host-1', 'a', 9_600)),
    ],
    ['a move while the host held its lease', 'no start without proof', ({ events }) => events.splice(3, 1)],
    [
      'a lease that was revoked too soon',
      'no start without proof',
      ({ events }) => Object.assign(events[2] as Seen, { object: lease('host-1', 3_000) }),
    ],
    [
      'a lease that was revoked although no guard was armed',
      'no start without proof',
      ({ events }) => Object.assign(events[2] as Seen, { object: lease('host-1', 1_000, 'no') }),
    ],
    [
      'a start on the host that has lost the container',
      'no start without proof',
      ({ beats }) => beats.splice(2, 1, beat('host-1', 'c', 12_000)),
    ],
    ['an acknowledged write that no watch shows', 'no write is lost', ({ events }) => events.pop()],
    [
      'a write that is undone',
      'no write is lost',
      ({ events }) => events.push(container('MODIFIED', at(9_500, 7), placed('host-2', 2, 1))),
    ],
    [
      'a watch that goes back',
      'watches are in order',
      ({ events }) => events.push(container('MODIFIED', at(9_500, 5), placed('host-2', 2, 2))),
    ],
  ])('find %s', (_, rule, spoil) => {
    const run = sound();
    spoil(run);
    expect(rulesOf(run)).toContain(rule);
  });

  it('find an event that only one of two watches has', () => {
    const { events } = sound();
    const other = events.filter(({ revision }) => revision !== 5);
    const watches = [events, other].map((own) => ({ events: own, gaps: [] }));
    const found = validate({ beats: new Map(), calls: [], watches });
    expect(found).toEqual([
      { rule: 'watches are complete', text: 'watch 2 lacks MODIFIED Container default/web at 5' },
    ]);
  });
});

describe('heartbeats', () => {
  it('are read but for lines that were cut short', () => {
    const boot = '0'.repeat(36);
    const text = `host-1 ${boot} 0 12.34\nhost-1 ${boot} 1\nhost-1 ${boot} 2 12.38\nhost-1 ${boot} 3 12`;
    expect(parseBeats(text).map(({ count, atMs }) => [count, atMs])).toEqual([
      [0, 12_340],
      [2, 12_380],
    ]);
  });
});

describe('episodes', () => {
  it('are the same for the same seed and number, and keep to what is assumed of guards', () => {
    for (let number = 0; number < 500; number += 1) {
      const episode = drawEpisode(7, number, HOSTS);
      expect(drawEpisode(7, number, HOSTS)).toEqual(episode);
      const hurt = episode.faults.filter(({ what }) => what.endsWith('-guard')).map(({ host }) => host);
      const silenced = episode.faults
        .filter(({ what }) => /agent|link|drop|packets/.test(what))
        .map(({ host }) => host);
      expect(hurt.filter((host) => silenced.includes(host))).toEqual([]);
    }
  });
});
