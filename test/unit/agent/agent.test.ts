import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RESTARTED_AT_ANNOTATION } from '../../../src/plan/lifecycle/record.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { type AgentWorld, createAgentWorld, FINGERPRINT, NODE } from './agent-world.ts';

const WEB = 'web--default';

describe('the agent and its containers', () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('registers the node, takes the lease and says Ready', () => {
    const node = world.node();
    expect(node?.metadata.labels).toEqual({
      disk: 'ssd',
      'hostler.dev/host': NODE,
      'kubernetes.io/hostname': NODE,
    });
    expect(node?.status).toMatchObject({
      capacity: { cpu: '4', memory: '8Gi' },
      allocatable: { cpu: '4', memory: '8Gi' },
      nodeInfo: { runtime: 'incus', runtimeVersion: '6.0.4', agentVersion: '0.1.0' },
      conditions: [
        { type: 'GuardArmed', status: 'True', reason: 'Armed' },
        { type: 'Ready', status: 'True', reason: 'AgentReady' },
      ],
    });
    expect(world.lease()?.spec).toMatchObject({
      holderIdentity: NODE,
      leaseDurationSeconds: 5,
      leaseTransitions: 1,
    });
    expect(world.agent().ready()).toBe(true);
  });

  it('creates and starts what is placed here, and says so at once, the addresses a little later', async () => {
    const before = world.writes().length;
    world.place('web', { resources: { cpu: '500m', memory: '64Mi', disk: '1Gi' } });
    await world.clock.advance(1);
    expect(world.container('web')?.status).toMatchObject({
      phase: 'Running',
      nodeName: NODE,
      epoch: 1,
      restarts: 0,
      observedGeneration: 1,
      instanceName: WEB,
      imageFingerprint: FINGERPRINT,
      conditions: [{ type: 'Ready', status: 'True', reason: 'Running', observedGeneration: 1 }],
    });
    await world.clock.advance(1_000);
    expect(world.container('web')?.status?.addresses).toEqual(['192.0.2.10']);
    expect(world.host.instances.get(WEB)?.spec).toMatchObject({
      milliCpu: 500,
      memoryBytes: 64 * 2 ** 20,
      diskBytes: 2 ** 30,
      networks: [{ name: 'eth0', network: 'incusbr0' }],
      mark: { namespace: 'default', name: 'web', epoch: 1, generation: 1 },
    });
    const writes = world.writes().slice(before);
    expect(writes.filter(({ resource }) => resource === 'containers')).toHaveLength(2);
    expect(world.calls('createInstance')).toHaveLength(1);
    expect(world.reasons()).toEqual(['Pulled', 'Created']);
  });

  it.each([
    { others: 1, asked: 1 },
    { others: 2, asked: 0 },
  ])('asks for addresses while $others others are being created: $asked', async ({ others, asked }) => {
    const turn = Promise.withResolvers<void>();
    const create = world.host.createInstance.bind(world.host);
    world.place('web');
    await world.clock.advance(1);
    world.host.createInstance = (...parameters) => turn.promise.then(() => create(...parameters));
    for (let index = 0; index < others; index++) world.place(`other-${index}`);
    await world.clock.advance(3_000);
    expect(world.calls('getAddresses')).toHaveLength(asked);
    turn.resolve();
    await world.clock.advance(1_000);
    expect(world.container('web')?.status?.addresses).toEqual(['192.0.2.10']);
  });

  it('writes nothing but lease renewals once everything is as it should be', async () => {
    world.place('web');
    await world.clock.advance(30_000);
    const writes = world.writes().length;
    const leases = world.store.writes().length;
    await world.clock.advance(20 * 60_000);
    expect(world.writes()).toHaveLength(writes);
    expect(world.store.writes().length - leases).toBeGreaterThan(1_000);
  });

  it('restarts at once what ends by itself, and counts it', async () => {
    world.place('web');
    await world.clock.advance(20_000);
    world.host.crash(WEB);
    await world.clock.advance(1);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    expect(world.container('web')?.status).toMatchObject({
      phase: 'Running',
      restarts: 1,
      lastRestart: { reason: 'Error', message: 'Killed by signal 9' },
    });
    expect(world.reasons()).toEqual(['Pulled', 'Created', 'Died', 'Started']);
  });

  it('has an end on the disk before it starts anything again, so that a kill in between costs no count', async () => {
    world.place('web');
    await world.clock.advance(20_000);
    world.host.crash(WEB);
    await world.clock.advance(1);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    const [saved] = world.file.content?.containers ?? [];
    expect(saved?.record.history.endedAtMs).toBeDefined();
  });

  it('backs off from the second restart in a row on, and starts anew after a long run', async () => {
    world.place('web', {
      restart: { policy: 'Always', backoff: { initial: '1s', max: '2s', resetAfter: '10m' } },
    });
    await world.clock.advance(1);
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      world.host.crash(WEB);
      const fromMs = world.clock.monotonicMs();
      await world.clock.advance(1);
      while (world.host.instances.get(WEB)?.status !== 'Running') await world.clock.advance(100);
      waits.push(Math.round((world.clock.monotonicMs() - fromMs) / 1_000));
    }
    expect(waits).toEqual([0, 1, 2, 2]);
    expect(world.reasons()).toContain('BackOff');
    expect(world.container('web')?.status?.restarts).toBe(4);
    await world.clock.advance(11 * 60_000);
    world.host.crash(WEB);
    await world.clock.advance(1);
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', restarts: 5 });
  });

  it.each([
    ['Never', 'clean', 'Stopped', 'Ended'],
    ['Never', 'error', 'Failed', 'Error'],
    ['OnFailure', 'clean', 'Stopped', 'Ended'],
  ] as const)('with policy %s leaves down what ended, %s: %s', async (policy, kind, phase, reason) => {
    world.place('web', { restart: { policy } });
    await world.clock.advance(1);
    world.host.crash(WEB, { kind, message: 'so it ended' });
    await world.clock.advance(60_000);
    expect(world.container('web')?.status).toMatchObject({ phase, restarts: 0 });
    expect(world.ready('web')).toMatchObject({ status: 'False', reason });
    expect(world.ready('web')?.message).toContain('so it ended');
    expect(world.calls('getLastEnd')).toHaveLength(1);
  });

  it.each([
    ['it failed', { kind: 'error', message: 'Exited with status 3' }, undefined],
    ['nobody can tell', { kind: 'clean', message: '' }, new HostlerError('Internal', 'no log')],
  ] as const)('with policy OnFailure restarts what ended when %s', async (_why, end, fault) => {
    world.place('web', { restart: { policy: 'OnFailure' } });
    await world.clock.advance(1);
    if (fault !== undefined) world.host.failNext('getLastEnd', fault);
    world.host.crash(WEB, end);
    await world.clock.advance(1);
    const message = fault === undefined ? end.message : 'How it ended is not known';
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', lastRestart: { message } });
  });

  it('asks how it ended only after an end that nobody asked for', async () => {
    world.place('web');
    await world.clock.advance(1);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, power: 'Stopped' } }));
    await world.change('web', ({ spec }) => ({ spec: { ...spec, power: 'Running' } }));
    expect(world.calls('getLastEnd')).toHaveLength(0);
  });

  it('stops and starts as spec.power says, without counting restarts', async () => {
    world.place('web');
    await world.clock.advance(1);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, power: 'Stopped' } }));
    expect(world.host.instances.get(WEB)?.status).toBe('Stopped');
    expect(world.container('web')?.status).toMatchObject({ phase: 'Stopped', observedGeneration: 2 });
    await world.change('web', ({ spec }) => ({ spec: { ...spec, power: 'Running' } }));
    expect(world.container('web')?.status).toMatchObject({
      phase: 'Running',
      restarts: 0,
      observedGeneration: 3,
    });
    await world.clock.advance(2_000);
    expect(world.ready('web')).toMatchObject({ status: 'True', observedGeneration: 3 });
  });

  it('updates a running container, names what needs a restart, and restarts it once when asked', async () => {
    world.place('web');
    await world.clock.advance(2_000);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, config: { 'security.nesting': 'true' } } }));
    const condition = () =>
      world.container('web')?.status?.conditions?.find(({ type }) => type === 'RestartRequired');
    expect(condition()).toMatchObject({
      status: 'True',
      message: expect.stringContaining('security.nesting'),
    });
    expect(world.ready('web')).toMatchObject({ status: 'True', observedGeneration: 2 });
    await world.change('web', ({ metadata }) => ({
      metadata: { ...metadata, annotations: { [RESTARTED_AT_ANNOTATION]: 'now' } },
    }));
    await world.clock.advance(1_000);
    expect(world.calls('stopInstance')).toHaveLength(1);
    expect(world.calls('startInstance')).toHaveLength(1);
    expect(condition()).toMatchObject({ status: 'False' });
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', restarts: 0 });
  });

  it('refuses config that the host does not allow, and says which', async () => {
    world.place('web', { config: { 'raw.lxc': 'x', 'limits.processes': '10' } });
    await world.clock.advance(1_000);
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'ConfigNotAllowed' });
    expect(world.ready('web')?.message).toContain('raw.lxc');
    expect(world.calls('createInstance')).toHaveLength(0);
    await world.change('web', ({ spec }) => ({ spec: { ...spec, config: { 'limits.processes': '10' } } }));
    expect(world.container('web')?.status?.phase).toBe('Running');
  });

  it('shows the reason while the image is missing, and heals within 30 s of its coming', async () => {
    world.place('web', { image: 'images:nothing/1' });
    await world.clock.advance(1_000);
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'ImageNotFound' });
    expect(world.ready('web')?.message).toContain('no remote images');
    await world.clock.advance(300_000);
    world.host.images.set('images:nothing/1', FINGERPRINT);
    await world.clock.advance(30_000);
    expect(world.container('web')?.status?.phase).toBe('Running');
  });

  it("shows the daemon's own words when a create fails, and heals at once when the pool appears", async () => {
    world.place('web', { rootPool: 'fast' });
    await world.clock.advance(200_000);
    expect(world.ready('web')).toMatchObject({ reason: 'FailedCreate', message: 'Storage pool not found' });
    const creates = world.calls('createInstance').length;
    expect(creates).toBeLessThan(15);
    world.store.seed({
      apiVersion: 'hostler.dev/v1alpha1',
      kind: 'StoragePool',
      metadata: { name: 'fast' },
      spec: { driver: 'dir', reclaimPolicy: 'Retain' },
    } as never);
    await world.clock.advance(50);
    expect(world.container('web')?.status?.phase).toBe('Running');
  });
});
