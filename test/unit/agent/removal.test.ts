import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HOST_FINALIZER } from '../../../src/crds/kind.ts';
import { containerKind } from '../../../src/crds/container.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

const WEB = 'web--default';

describe('what the agent removes, and what it leaves alone', () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('removes the instance, then the finalizer', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
    await world.clock.advance(1_000);
    expect(world.host.instances.has(WEB)).toBe(false);
    expect(world.container('web')).toBeUndefined();
    await world.clock.advance(1_000);
    expect(world.file.content?.containers).toEqual([]);
    expect(world.file.content?.epochs).toEqual({});
  });

  it('looks again, without a word, when a daemon says for a moment that what it has stopped runs', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    world.host.failNext('deleteInstance', new HostlerError('Conflict', 'Instance is running'));
    await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
    await world.clock.advance(500);
    expect(world.container('web')).toBeUndefined();
    expect(world.reasons()).not.toContain('FailedDelete');
  });

  it('lifts the finalizer of a container that never came to be', async () => {
    world.place('web', { image: 'images:nothing/1' });
    await world.clock.advance(1_000);
    await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
    await world.clock.advance(1_000);
    expect(world.container('web')).toBeUndefined();
  });

  it('leaves an instance of that name alone which is not ours, and says why', async () => {
    world.host.instances.set(WEB, {
      spec: { name: WEB, imageFingerprint: '', rootPool: 'default', networks: [], config: {} },
      status: 'Running',
      createdAt: '',
      startedWith: {},
    });
    world.place('web');
    await world.clock.advance(60_000);
    expect(world.ready('web')).toMatchObject({ reason: 'NameTaken' });
    await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
    await world.clock.advance(1_000);
    expect(world.container('web')).toBeUndefined();
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
  });

  it('removes what was placed elsewhere, after a read of the API has said so', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    await world.change('web', ({ status }) => ({ status: { ...status, nodeName: 'host-2', epoch: 2 } }));
    await world.clock.advance(1_000);
    expect(world.host.instances.has(WEB)).toBe(false);
    expect(world.container('web')?.metadata.finalizers).toEqual([HOST_FINALIZER]);
    expect(world.container('web')?.status).toMatchObject({ nodeName: 'host-2', epoch: 2 });
  });

  it('keeps what seems to be gone while the API cannot be read', async () => {
    world.place('web');
    await world.clock.advance(1_000);
    world.store.faults.failNext('Unavailable', { verb: 'list', resource: 'containers', times: 5 });
    await world.change('web', ({ status }) => ({ status: { ...status, nodeName: 'host-2', epoch: 2 } }));
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    await world.clock.advance(60_000);
    expect(world.host.instances.has(WEB)).toBe(false);
  });

  it('replaces the instance of an earlier Container of the same name', async () => {
    world.place('web', {}, { uid: 'uid-old' });
    await world.clock.advance(1_000);
    await world.change('web', ({ metadata }) => ({ metadata: { ...metadata, finalizers: [] } }));
    await world.stop();
    await world.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, AbortSignal.any([]));
    world.place('web', {}, { uid: 'uid-new' });
    await world.start();
    await world.clock.advance(2_000);
    expect(world.host.instances.get(WEB)?.spec.mark?.uid).toBe('uid-new');
    expect(world.container('web')?.status?.phase).toBe('Running');
  });

  it('never acts on a lower epoch than it has seen', async () => {
    world.place('web', {}, { epoch: 5 });
    await world.clock.advance(1_000);
    await world.change('web', ({ status }) => ({ status: { ...status, nodeName: 'host-2', epoch: 6 } }));
    await world.clock.advance(1_000);
    await world.change('web', ({ status }) => ({ status: { ...status, nodeName: NODE, epoch: 5 } }));
    await world.clock.advance(10_000);
    expect(world.host.instances.has(WEB)).toBe(false);
  });
});
