import { beforeEach, describe, expect, it } from '@jest/globals';
import { createWitnesses, type KnownPeers, type Witnesses } from '../../../src/agent/node/witnesses.ts';
import type { ConfigMap } from '../../../src/crds/lease.ts';
import { formatMembers } from '../../../src/plan/failover/membership.ts';
import { startNodeLease } from '../../../src/plan/failover/node-lease.ts';
import { defaultTiming } from '../../../src/plan/failover/timing.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Informer } from '../../../src/reconcile/informer.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const peer = (node: string) => ({ node, address: '10.0.0.1', port: 1 });

describe('the witnesses of an outage', () => {
  let clock: ReturnType<typeof createFakeClock>;
  let disk: KnownPeers | undefined;
  let isFull: boolean;
  let changed: () => void;
  let maps: ConfigMap[];
  let stop: AbortController;
  let onAsk: () => void;

  const publish = async (version: number, members: string[]): Promise<void> => {
    maps = [
      { metadata: { name: 'hostler-members' }, data: formatMembers({ version, members }) } as ConfigMap,
    ];
    changed();
    await clock.advance(1);
  };

  const start = async (): Promise<Witnesses> => {
    const witnesses = createWitnesses({
      nodeName: 'a',
      members: {
        cache: { list: () => maps },
        hasSynced: () => false,
        onChange: (run: () => void) => {
          changed = run;
          return () => undefined;
        },
      } as unknown as Informer<ConfigMap>,
      peers: {
        ask: async () => {
          onAsk();
          return 60_000;
        },
      } as never,
      file: {
        read: async () => disk,
        write: async (known) => {
          if (isFull) throw new Error('no space left on the device');
          disk = known;
        },
      },
      store: { get: async () => undefined },
      clock,
      logger: silentLogger,
    });
    void witnesses.start(stop.signal);
    await clock.advance(1);
    return witnesses;
  };

  /** Until when, from now on, the peers' word carries. */
  const carries = async (witnesses: Witnesses): Promise<number | undefined> => {
    const nowMs = clock.monotonicMs();
    const before = { timing: defaultTiming, liveUntilMs: nowMs - 60_000 };
    const held = startNodeLease(nowMs - 10_000, { term: 1, deadlineMs: nowMs + 1_000 }, before);
    let until: number | undefined;
    const asked = { monotonicMs: nowMs, wallMs: clock.nowMs() };
    await witnesses.ask(asked, stop.signal, (count) => {
      const next = count(held, { nowMs, timing: defaultTiming });
      if (next !== held) until = next.witnessUntilMs - nowMs;
    });
    return until;
  };

  beforeEach(() => {
    clock = createFakeClock();
    stop = new AbortController();
    disk = { peers: [peer('b'), peer('c')], list: { version: 1, members: ['a', 'b', 'c'] }, saidVersion: 1 };
    isFull = false;
    maps = [];
    onAsk = () => undefined;
  });

  it('are counted by the list that an agent before this one has said', async () => {
    expect(await carries(await start())).toBe(5_000);
  });

  it('are counted by a list that is one change ahead of what the lease says', async () => {
    const witnesses = await start();
    await publish(2, ['a', 'b', 'c', 'd']);
    expect([witnesses.version(), await carries(witnesses)]).toEqual([2, 5_000]);
  });

  it('are not counted by a list that is two changes ahead before the lease says so', async () => {
    const witnesses = await start();
    await publish(3, ['a', 'b', 'c', 'd', 'e']);
    expect([witnesses.version(), await carries(witnesses)]).toEqual([3, undefined]);
    witnesses.onSaid(3);
    await clock.advance(1);
    expect(await carries(witnesses)).toBe(5_000);
    expect(disk).toMatchObject({ list: { version: 3 }, saidVersion: 3 });
  });

  it('go by no list that is not on the disk, and try again', async () => {
    const witnesses = await start();
    isFull = true;
    await publish(2, ['a', 'b', 'c', 'd']);
    expect(witnesses.version()).toBe(1);
    isFull = false;
    await clock.advance(1_100);
    expect(witnesses.version()).toBe(2);
  });

  it('are not believed when the host slept before it read their answers', async () => {
    const witnesses = await start();
    onAsk = () => clock.setWall(clock.nowMs() + 60_000);
    expect(await carries(witnesses)).toBeUndefined();
  });
});
