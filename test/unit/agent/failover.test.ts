import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GUARD_ANNOTATION, type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

const WEB = 'web--default';
const never = new AbortController().signal;

describe('the agent and what may be recovered elsewhere', () => {
  let world: AgentWorld;

  /** As the leader places it; the term is that of the lease. */
  const place = async (name: string, policy: 'Recreate' | 'Stay', term = 1): Promise<void> => {
    world.place(name, { failover: { policy } });
    await world.change(name, ({ status }) => ({ status: { ...status, term, failover: policy } }));
  };
  const enforce = (): void => world.guard.enforce((instance) => world.host.crash(instance));
  const cutOff = (): void => world.store.faults.failNext('Unavailable', { times: 100_000 });
  const isUp = (name: string): boolean => world.host.instances.get(`${name}--default`)?.status === 'Running';
  const guarded = () => world.guard.keeper.report().containers.map(({ instance }) => instance);

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('starts it once the guard has it on its list and permits it; what stays with its host, without asking', async () => {
    await place('web', 'Recreate');
    await place('local', 'Stay');
    await world.clock.advance(2_000);
    expect([isUp('web'), isUp('local')]).toEqual([true, true]);
    expect(guarded()).toEqual([WEB]);
    expect(world.calls('createInstance')).toHaveLength(2);
    expect(world.calls('startInstance')).toEqual([`startInstance ${WEB}`]);
  });

  it('starts it as soon as a late renewal leaves time for that, without waiting for its next look', async () => {
    await world.clock.advance(2_000);
    // One renewal and the reads after it: for three seconds and a half.
    world.store.faults.failNext('Unavailable', { resource: 'leases', times: 14 });
    await world.clock.advance(3_600);
    await place('web', 'Recreate');
    await world.clock.advance(100);
    expect(isUp('web')).toBe(false);
    const renewed = world.lease()?.metadata.resourceVersion;
    let waitedMs = 0;
    while (world.lease()?.metadata.resourceVersion === renewed) {
      await world.clock.advance(50);
      waitedMs += 50;
    }
    expect(waitedMs).toBeLessThan(600);
    await world.clock.advance(100);
    expect(isUp('web')).toBe(true);
  });

  it('does not start it under another term than that of the lease', async () => {
    await place('web', 'Recreate', 7);
    await world.clock.advance(5_000);
    expect(isUp('web')).toBe(false);
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'NotPermitted' });
    await world.change('web', ({ status }) => ({ status: { ...status, term: 1 } }));
    await world.clock.advance(2_000);
    expect(isUp('web')).toBe(true);
  });

  it('arms the guard with each renewal, and says in the lease and on the Node that it is armed', async () => {
    await world.clock.advance(2_000);
    expect(world.lease()?.metadata.annotations).toMatchObject({ [GUARD_ANNOTATION]: 'armed' });
    expect(world.condition('GuardArmed')).toMatchObject({ status: 'True' });
    const leftMs = world.guard.keeper.report().deadlineMs - world.clock.monotonicMs();
    expect(leftMs).toBeGreaterThan(3_900);
  });

  it('says at once when the guard is lost, and again when it is back', async () => {
    await world.clock.advance(2_000);
    world.guard.isGone = true;
    world.guard.die();
    await world.clock.advance(1_100);
    expect(world.condition('GuardArmed')).toMatchObject({ status: 'False', reason: 'NoGuard' });
    expect(world.lease()?.metadata.annotations).toMatchObject({ [GUARD_ANNOTATION]: 'absent' });
    await place('web', 'Recreate');
    await world.clock.advance(3_000);
    expect(isUp('web')).toBe(false);
    world.guard.isGone = false;
    await world.clock.advance(3_000);
    expect(world.condition('GuardArmed')).toMatchObject({ status: 'True' });
    expect(isUp('web')).toBe(true);
  });

  it('restarts nothing that the guard has stopped, and goes on restarting all else, while it is cut off', async () => {
    await place('web', 'Recreate');
    await place('local', 'Stay');
    await world.clock.advance(20_000);
    cutOff();
    await world.clock.advance(6_000);
    enforce();
    world.host.crash('local--default');
    await world.clock.advance(10_000);
    expect([isUp('web'), isUp('local')]).toEqual([false, true]);
  });

  it('starts what is still its own after an outage in which nobody took the lease, and calls that no restart', async () => {
    await place('web', 'Recreate');
    await world.clock.advance(20_000);
    world.store.faults.failNext('Unavailable', { resource: 'leases', times: 30 });
    await world.clock.advance(6_000);
    enforce();
    await world.clock.advance(1_000);
    await world.clock.advance(8_000);
    expect(isUp('web')).toBe(true);
    expect(world.container('web')?.status?.restarts).toBe(0);
  });

  it('asks to be let in after a revocation, and removes what went elsewhere', async () => {
    await place('web', 'Recreate');
    await place('mine', 'Recreate');
    await world.clock.advance(2_000);
    world.leader.grants = false;
    const lease = world.lease() as Lease;
    await world.store.update<Lease>(
      leaseRef,
      { ...lease, spec: { ...lease.spec, holderIdentity: '' } },
      never,
    );
    await world.clock.advance(1_500);
    expect(world.guard.keeper.due()?.daemonMs).toBe(0);
    enforce();
    await world.change('web', ({ status }) => ({ status: { ...status, nodeName: 'host-2', epoch: 2 } }));
    await world.clock.advance(1_000);
    expect(world.host.instances.has(WEB)).toBe(false);
    expect(guarded()).toEqual(['mine--default']);
    expect(isUp('mine')).toBe(false);
    const asked = world.lease() as Lease;
    const granted = { ...asked.spec, holderIdentity: NODE, leaseTransitions: 2 };
    const metadata = { ...asked.metadata, annotations: {} };
    await world.store.update<Lease>(leaseRef, { ...asked, metadata, spec: granted }, never);
    await world.clock.advance(2_000);
    expect(isUp('mine')).toBe(false);
    await world.change('mine', ({ status }) => ({ status: { ...status, term: 2 } }));
    await world.clock.advance(2_000);
    expect(isUp('mine')).toBe(true);
  });

  it('agrees to a changed policy only once the guard knows of it, and forgets only after the word is given', async () => {
    await place('web', 'Stay');
    await world.clock.advance(2_000);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, failover: { policy: 'Recreate' } } }));
    await world.clock.advance(2_000);
    expect(guarded()).toEqual([WEB]);
    expect(world.container('web')?.status?.failover).toBe('Recreate');
    await world.change('web', ({ spec }) => ({ spec: { ...spec, failover: { policy: 'Stay' } } }));
    await world.clock.advance(2_000);
    expect(world.container('web')?.status?.failover).toBe('Stay');
    expect(guarded()).toEqual([]);
    expect(isUp('web')).toBe(true);
  });

  it('hands over when it ends: the leader knows before the guard lets everything run on', async () => {
    await place('web', 'Recreate');
    await world.clock.advance(3_000);
    await world.stop();
    expect(world.lease()?.metadata.annotations).toMatchObject({ [GUARD_ANNOTATION]: 'absent' });
    expect(world.condition('GuardArmed')).toMatchObject({ status: 'False', reason: 'AgentStopped' });
    await world.clock.advance(60_000);
    expect(world.guard.keeper.due()).toBeUndefined();
    await world.start();
    await world.clock.advance(2_000);
    expect(world.guard.keeper.report()).toMatchObject({ released: false, term: 1 });
    expect(world.condition('GuardArmed')).toMatchObject({ status: 'True' });
    expect(isUp('web')).toBe(true);
  });

  it('leaves the deadline as it is when it ends and cannot tell the leader', async () => {
    await place('web', 'Recreate');
    await world.clock.advance(3_000);
    cutOff();
    await world.stop();
    await world.clock.advance(5_000);
    expect(world.guard.keeper.due()?.containers).toMatchObject([{ instance: WEB }]);
  });
});
