import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { containerKind } from '../../../src/crds/container.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const WEB = 'web--default';

describe('the agent and an API or a daemon that fails', () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('works on when a status write conflicts, is lost, or finds no API', async () => {
    world.store.faults.failNext('Conflict', { verb: 'updateStatus', resource: 'containers' });
    world.place('a');
    await world.clock.advance(1_000);
    world.store.faults.loseReply({ verb: 'updateStatus', resource: 'containers' });
    world.place('b');
    await world.clock.advance(5_000);
    world.store.faults.failNext('Unavailable', { verb: 'updateStatus', resource: 'containers', times: 3 });
    world.place('c');
    await world.clock.advance(10_000);
    for (const name of ['a', 'b', 'c']) expect(world.container(name)?.status?.phase).toBe('Running');
    expect(world.calls('createInstance')).toHaveLength(3);
  });

  it('does not wait for an API that hangs to restart a container', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    world.store.faults.hangNext({ resource: 'containers', times: 1_000 });
    world.store.faults.dropWatches('Unavailable');
    for (let round = 0; round < 2; round++) {
      world.host.crash(WEB);
      await world.clock.advance(7_000);
      expect(world.host.instances.get(WEB)?.status).toBe('Running');
    }
  });

  it.each(['createInstance', 'startInstance', 'stopInstance', 'updateInstance', 'deleteInstance'] as const)(
    'gets there although the reply of %s is lost',
    async (method) => {
      world.host.loseReply(method);
      world.place('web');
      await world.clock.advance(5_000);
      world.host.crash(WEB);
      await world.clock.advance(5_000);
      await world.change('web', ({ spec }) => ({ spec: { ...spec, resources: { cpu: '1' } } }));
      await world.clock.advance(5_000);
      expect(world.container('web')?.status).toMatchObject({
        phase: 'Running',
        restarts: 1,
        observedGeneration: 2,
      });
      expect(world.ready('web')).toMatchObject({ status: 'True' });
      await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
      await world.clock.advance(5_000);
      expect(world.host.instances.size).toBe(0);
      expect(world.container('web')).toBeUndefined();
    },
  );

  it('says Failed with the words of the daemon when a start fails, and tries again', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    world.host.failNext('startInstance', new HostlerError('Internal', 'no such device'));
    world.host.crash(WEB);
    await world.clock.advance(500);
    expect(world.container('web')?.status).toMatchObject({ phase: 'Failed' });
    expect(world.ready('web')).toMatchObject({ reason: 'FailedStart', message: 'no such device' });
    await world.clock.advance(1_000);
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', restarts: 1 });
  });
});
