import { describe, expect, it } from '@jest/globals';
import { parseBeat } from '../../faults/beats.ts';
import { createHistoryReader } from '../../faults/history.ts';
import { drawEpisode, HOST_FAULTS, PLANE_FAULTS } from '../../faults/schedule.ts';

const HOSTS = ['host-1', 'host-2', 'host-3'];

describe('episodes', () => {
  it('are the same for the same seed and number, and keep to what is assumed of guards', () => {
    for (let number = 0; number < 500; number += 1) {
      const episode = drawEpisode(7, number, HOSTS);
      expect(drawEpisode(7, number, HOSTS)).toEqual(episode);
      const hurt = episode.faults
        .filter(({ what }) => /(kill|freeze)-guard/.test(what))
        .map(({ host }) => host);
      const silenced = episode.faults
        .filter(({ what }) => /-agent|link|drop|packets|api|clock-host/.test(what))
        .map(({ host }) => host);
      expect(hurt.filter((host) => silenced.includes(host))).toEqual([]);
    }
  });

  it('have every fault in them', () => {
    const drawn = new Set(
      Array.from({ length: 1_000 }, (_, number) => drawEpisode(7, number, HOSTS)).flatMap(({ faults }) =>
        faults.map(({ what }) => what),
      ),
    );
    expect([...drawn].sort()).toEqual([...HOST_FAULTS, ...PLANE_FAULTS].sort());
  });
});

describe('heartbeats', () => {
  it('are read but for lines that were cut short', () => {
    const boot = '0'.repeat(36);
    expect(parseBeat(`host-1 ${boot} 0 12.34`)).toEqual({ host: 'host-1', boot, count: 0, atMs: 12_340 });
    for (const cut of [`host-1 ${boot} 1`, `host-1 ${boot} 3 12`, `host-1 ${boot.slice(1)} 3 12.34`, ''])
      expect(parseBeat(cut)).toBeUndefined();
  });
});

describe("etcd's history", () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const key = base64('/hostler/registry/hostler.dev/nodes/host-1');
  const value = base64(JSON.stringify({ metadata: { name: 'host-1' } }));
  const line = (...Events: object[]): string => JSON.stringify({ Header: { revision: 99 }, Events });
  const put = (mod_revision: number) => ({ kv: { key, mod_revision, value } });

  it('is what etcdctl prints, each revision once', () => {
    const reader = createHistoryReader();
    reader.take(line(put(3), put(4)));
    reader.take(JSON.stringify({ Header: { revision: 12 }, Events: null, Created: true }));
    reader.take(line(put(4), { type: 1, kv: { key, mod_revision: 7 } }));
    reader.take(line({ kv: { key: base64('/hostler/registry/core/events/a/b'), mod_revision: 8, value } }));
    expect(reader.events.map(({ kind, type, key: of, revision }) => [kind, type, of, revision])).toEqual([
      ['Node', 'ADDED', 'host-1', 3],
      ['Node', 'MODIFIED', 'host-1', 4],
      ['Node', 'DELETED', 'host-1', 7],
      ['Other', 'ADDED', 'core/events/a/b', 8],
    ]);
    expect(reader.revision()).toBe(8);
  });
});
