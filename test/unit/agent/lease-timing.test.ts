import { afterEach, describe, expect, it } from '@jest/globals';
import { TIMING_ANNOTATION } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import type { FailoverTiming } from '../../../src/plan/failover/timing.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const never = new AbortController().signal;
const slow = { renew: '10s', duration: '60s', fenceDelay: '5s' };
const quick = { renew: '400ms', duration: '2s', fenceDelay: '1s' };

describe('the timing of the node lease', () => {
  let world: AgentWorld;
  const started = async (): Promise<void> => {
    world = createAgentWorld();
    await world.start();
  };
  afterEach(() => world.stop());

  const stated = (): FailoverTiming =>
    JSON.parse(world.lease()?.metadata.annotations?.[TIMING_ANNOTATION] ?? '{}') as FailoverTiming;
  const inForce = () => world.node()?.status?.lease;
  /** How long the guard would let everything run on. */
  const leftMs = (): number => world.guard.keeper.report().deadlineMs - world.clock.monotonicMs();

  it('is the default where there is no policy, and the Node says so', async () => {
    await started();
    await world.clock.advance(1_000);
    expect(stated()).toMatchObject({ renewMs: 1_000, durationMs: 5_000, fenceDelayMs: 3_000 });
    expect(inForce()).toEqual({ renew: '1s', duration: '5s', fenceDelay: '3s' });
  });

  it('follows the policy at once when it grows, from the first renewal that says so', async () => {
    await started();
    world.policy({ nodeLease: slow });
    await world.clock.advance(1_500);
    expect(stated().durationMs).toBe(60_000);
    expect(leftMs()).toBeGreaterThan(55_000);
    expect(inForce()).toEqual({ ...slow });
    const { resourceVersion } = world.lease()?.metadata ?? {};
    await world.clock.advance(8_000);
    expect(world.lease()?.metadata.resourceVersion).toBe(resourceVersion);
  });

  it('renews faster at once when it shrinks, and says so when what was given has run out', async () => {
    await started();
    world.policy({ nodeLease: slow });
    await world.clock.advance(1_500);
    world.policy({ nodeLease: quick });
    await world.clock.advance(500);
    const { resourceVersion } = world.lease()?.metadata ?? {};
    await world.clock.advance(400);
    expect(world.lease()?.metadata.resourceVersion).not.toBe(resourceVersion);
    expect(stated().durationMs).toBe(60_000);
    await world.clock.advance(54_000);
    expect(stated().durationMs).toBe(60_000);
    await world.clock.advance(5_000);
    expect(stated()).toMatchObject({ renewMs: 400, durationMs: 2_000, fenceDelayMs: 1_000 });
    expect(leftMs()).toBeLessThanOrEqual(2_000);
    expect(inForce()).toEqual({ ...quick });
  });

  it('never states less than the guard holds, however the agent is restarted in between', async () => {
    await started();
    world.policy({ nodeLease: slow });
    await world.clock.advance(1_500);
    await world.stop();
    world.policy({ nodeLease: quick });
    await world.start();
    await world.clock.advance(2_000);
    expect(leftMs()).toBeGreaterThan(50_000);
    expect(stated().durationMs).toBe(60_000);
    await world.clock.advance(60_000);
    expect(stated().durationMs).toBe(2_000);
  });

  it('is that of the first class that selects the node, and changes with its labels', async () => {
    await started();
    const nodeClasses = [
      { name: 'ssd', nodeSelector: { disk: 'ssd' }, nodeLease: quick },
      { name: 'any', nodeSelector: { 'hostler.dev/host': 'host-1' }, nodeLease: slow },
    ];
    world.policy({ nodeClasses });
    await world.clock.advance(6_000);
    expect(inForce()).toEqual({ ...quick, class: 'ssd' });
    const node = world.node() as Node;
    const labels = { ...node.metadata.labels, disk: 'hdd' };
    await world.store.update(nodeKind, { ...node, metadata: { ...node.metadata, labels } }, never);
    await world.clock.advance(2_000);
    expect(inForce()).toEqual({ ...slow, class: 'any' });
  });

  it('stays as it is while the policy breaks its rules, which another API server may let through', async () => {
    await started();
    world.policy({ nodeLease: quick });
    await world.clock.advance(6_000);
    world.policy({ nodeLease: { renew: '5s', duration: '5s' } });
    await world.clock.advance(10_000);
    expect(inForce()).toEqual({ ...quick });
  });
});
