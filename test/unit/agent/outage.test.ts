import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RESTARTED_AT_ANNOTATION } from '../../../src/plan/lifecycle/record.ts';
import { type AgentWorld, createAgentWorld, FINGERPRINT, IMAGE } from './agent-world.ts';

const WEB = 'web--default';

describe('the agent without its daemon or its API', () => {
  let world: AgentWorld;

  beforeEach(() => {
    world = createAgentWorld();
  });

  afterEach(() => world.stop());

  it('stops nothing when it is stopped, and adopts what runs when it is back', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(20_000);
    await world.stop();
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    const calls = world.host.calls.length;
    const writes = world.writes().length;
    await world.start();
    await world.clock.advance(20_000);
    const changes = world.host.calls
      .slice(calls)
      .filter((call) => /^(create|start|stop|update|delete)/.test(call));
    expect(changes).toEqual([]);
    expect(world.writes().slice(writes)).toEqual([]);
  });

  it('counts and mends what ended while it was away', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(20_000);
    await world.stop();
    world.host.crash(WEB);
    await world.start();
    await world.clock.advance(1_000);
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', restarts: 1 });
    expect(world.reasons()).toContain('Died');
  });

  it('adopts with its disk lost, restarts nothing that runs, and counts on from the status', async () => {
    await world.start();
    world.place('web', {}, { annotations: { [RESTARTED_AT_ANNOTATION]: 'then' } });
    await world.clock.advance(1_000);
    world.host.crash(WEB);
    await world.clock.advance(20_000);
    await world.stop();
    delete world.file.content;
    await world.start();
    await world.clock.advance(1_000);
    expect(world.calls('stopInstance')).toEqual([]);
    world.host.crash(WEB);
    await world.clock.advance(10_000);
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', restarts: 2 });
  });

  it('goes on restarting after its own restart without the API, but creates and removes nothing', async () => {
    await world.start();
    world.place('web');
    world.place('lost');
    world.place('leaving');
    world.place('resting');
    await world.clock.advance(20_000);
    await world.change('resting', ({ status }) => ({ status: { ...status, stoppedFor: 'Maintenance' } }));
    await world.clock.advance(1_000);
    expect(world.host.instances.get('resting--default')?.status).toBe('Stopped');
    await world.stop();
    for (const verb of ['get', 'list', 'watch', 'update', 'updateStatus', 'create', 'patch'] as const) {
      world.store.faults.failNext('Unavailable', { verb, times: 100_000 });
    }
    world.host.instances.delete('lost--default');
    await world.start();
    world.host.crash(WEB);
    await world.clock.advance(20_000);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    world.host.crash(WEB);
    await world.clock.advance(20_000);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    expect(world.host.instances.has('lost--default')).toBe(false);
    expect(world.host.instances.get('leaving--default')?.status).toBe('Running');
    expect(world.agent().ready()).toBe(false);
    expect(world.host.instances.get('resting--default')?.status).toBe('Stopped');
    expect(world.calls('createInstance')).toHaveLength(4);
    expect(
      world.file.content?.containers.find(({ container }) => container.metadata.name === 'web')?.record
        .restarts,
    ).toBe(2);
  });

  it('draws no conclusion from a daemon that does not answer', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(20_000);
    const creates = world.calls('createInstance').length;
    world.host.setDown(true);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, resources: { memory: '32Mi' } } }));
    await world.clock.advance(30_000);
    expect(world.ready('web')).toMatchObject({ status: 'Unknown', reason: 'HostUnavailable' });
    expect(world.container('web')?.status?.phase).toBe('Running');
    expect(world.condition('Ready')).toMatchObject({ status: 'False', reason: 'RuntimeUnavailable' });
    world.host.setDown(false);
    await world.clock.advance(5_000);
    expect(world.ready('web')).toMatchObject({ status: 'True', observedGeneration: 2 });
    expect(world.condition('Ready')).toMatchObject({ status: 'True' });
    expect(world.calls('createInstance')).toHaveLength(creates);
  });

  it('notices within seconds that a daemon is gone of which it wants nothing', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(21_000);
    world.host.setDown(true);
    await world.clock.advance(5_500);
    const conditions = world.node()?.status?.conditions;
    expect(conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'False' });
    await world.clock.advance(12_000);
    expect(world.ready('web')).toMatchObject({ status: 'Unknown' });
  });

  it('does not write to its containers when the daemon is only restarted', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(20_000);
    const writes = world.store.writes().filter(({ resource }) => resource === 'containers').length;
    world.host.setDown(true);
    await world.clock.advance(2_000);
    world.host.setDown(false);
    await world.clock.advance(10_000);
    expect(world.store.writes().filter(({ resource }) => resource === 'containers')).toHaveLength(writes);
  });

  it('works on with a full disk, tells it once, and saves again when there is room', async () => {
    await world.start();
    world.file.isFull = true;
    world.place('web');
    await world.clock.advance(20_000);
    expect(world.container('web')?.status?.phase).toBe('Running');
    expect(world.reasons().filter((reason) => reason === 'DesiredStateNotSaved')).toHaveLength(1);
    expect(world.condition('DesiredStateSaved')).toMatchObject({ status: 'False', reason: 'NotSaved' });
    world.file.isFull = false;
    await world.clock.advance(10_000);
    expect(world.file.content?.containers).toHaveLength(1);
    expect(world.reasons()).toContain('DesiredStateSaved');
    expect(world.condition('DesiredStateSaved')).toMatchObject({ status: 'True', reason: 'Saved' });
  });

  it('says of a disk that it is full also when it is started on it, and that it is not any more', async () => {
    world.file.isFull = true;
    await world.start();
    await world.clock.advance(25_000);
    expect(world.condition('DesiredStateSaved')).toMatchObject({ status: 'False' });
    await world.stop();
    world.file.isFull = false;
    await world.start();
    await world.clock.advance(25_000);
    expect(world.condition('DesiredStateSaved')).toMatchObject({ status: 'True' });
  });

  it('keeps the addresses in the status when it starts before the API is there', async () => {
    await world.start();
    world.place('web');
    await world.clock.advance(20_000);
    await world.stop();
    const writes = world.writes().length;
    world.store.faults.failNext('Unavailable', { verb: 'list', resource: 'containers', times: 3 });
    world.host.delayMs = 50;
    await world.start();
    await world.clock.advance(20_000);
    expect(world.agent().ready()).toBe(true);
    expect(world.writes().slice(writes)).toEqual([]);
    expect(world.container('web')?.status?.addresses).toEqual(['192.0.2.10']);
  });

  it('imports an image once and lists it on the node', async () => {
    await world.start();
    for (const name of ['a', 'b', 'c']) world.place(name);
    await world.clock.advance(1_000);
    expect(world.node()?.status?.images).toEqual([{ reference: IMAGE, fingerprint: FINGERPRINT }]);
  });
});
