import { expect } from '@jest/globals';
import { container, pool, type Trial } from '../scene.ts';
import { migrate, migrationOf, untilSettled } from './moving.ts';

const ON_1 = { placement: { nodeName: 'host-1' }, migration: { policy: 'Cold' } };

/** What cannot be done fails at once, says why, and touches nothing. */
export function describeRefusals(trial: Trial): void {
  const rows = [
    { key: 'an unknown container', spec: { container: 'nobody' }, reason: 'ContainerNotFound' },
    { key: 'an unknown node', spec: { targetNode: 'host-9' }, reason: 'NodeNotFound' },
    { key: 'the node that it is on', spec: { targetNode: 'host-1' }, reason: 'TargetIsSource' },
    { key: 'a container that is pinned', spec: { targetNode: 'host-2' }, reason: 'NoTarget' },
  ];
  trial.each(rows, 'refuses $key', async (scene, { spec, reason }) => {
    await scene.apply(container('beat', ON_1));
    await scene.untilReady('beat');
    await migrate(scene, 'bad', spec);
    const { status } = await untilSettled(scene, 'bad');
    expect(status?.phase).toBe('Failed');
    expect(status?.conditions?.find(({ type }) => type === 'Succeeded')?.reason).toBe(reason);
    expect((await scene.get('beat'))?.status).toMatchObject({
      nodeName: 'host-1',
      epoch: 1,
      phase: 'Running',
    });
  });

  trial.it('refuses a target without the pool, and one without room', async (scene) => {
    const on1 = { nodeSelector: { 'hostler.dev/host': 'host-1' } };
    // It goes with the cluster: the container that is on it goes only after this.
    const anyway = { code: 'any' } as const;
    scene.later(() => scene.cluster.kubectl.run(['delete', 'storagepool', 'only-1', '--wait=false'], anyway));
    await scene.cluster.kubectl.run(['apply', '-f', '-'], { input: JSON.stringify(pool('only-1', on1)) });
    await scene.apply(container('beat', { rootPool: 'only-1', migration: { policy: 'Cold' } }));
    await scene.untilReady('beat');
    await migrate(scene, 'no-pool', { targetNode: 'host-2' });
    const { status } = await untilSettled(scene, 'no-pool');
    expect(JSON.stringify(status)).toMatch(/NoTarget.*without storage pool only-1/);
    await scene.apply(
      container('huge', { resources: { memory: '20Gi' }, placement: { nodeName: 'host-2' } }),
    );
    await scene.apply(
      container('large', { resources: { memory: '20Gi' }, placement: on1, migration: { policy: 'Cold' } }),
    );
    await scene.untilReady('huge', 'large');
    await scene.kubectl('patch', 'container', 'large', '--type=merge', '-p', '{"spec":{"placement":null}}');
    await migrate(scene, 'no-room', { container: 'large', targetNode: 'host-2' });
    expect(JSON.stringify((await untilSettled(scene, 'no-room')).status)).toMatch(
      /NoTarget.*Insufficient memory/,
    );
  });

  trial.it('refuses what is not possible, and what the policy forbids', async (scene) => {
    await scene.apply(container('beat', { migration: { policy: 'Never' } }), container('plain'));
    await scene.untilReady('beat', 'plain');
    await migrate(scene, 'never', {});
    expect(JSON.stringify((await untilSettled(scene, 'never')).status)).toContain('PolicyNever');
    await migrate(scene, 'live', { container: 'plain', mode: 'Live' });
    // These hosts were started without what a live move needs.
    const { status } = await untilSettled(scene, 'live');
    expect(status?.phase).toBe('Failed');
    await migrate(scene, 'maybe', { container: 'plain', mode: 'LiveIfPossible' });
    const maybe = await untilSettled(scene, 'maybe');
    expect(maybe.status).toMatchObject({ phase: 'Succeeded', mode: 'Cold' });
    expect(maybe.status?.conditions?.find(({ type }) => type === 'Live')?.status).toBe('False');
  });

  trial.it('refuses a second one, and changes of the spec', async (scene) => {
    await scene.apply(container('beat', { migration: { policy: 'Cold' } }));
    await scene.untilReady('beat');
    // What the target has not from the image: it takes a minute, so that the first is under way whenever it is looked at.
    const { host, name } = await scene.instance('beat');
    const fill = ['dd', 'if=/dev/urandom', 'of=/large', 'bs=1048576', 'count=4'];
    await host.exec(['incus', 'exec', name, '--', ...fill]);
    await migrate(scene, 'first', { bandwidth: '64Ki' });
    await scene.kubectl('wait', 'migration/first', '--for=jsonpath={.status.phase}=Copying', '--timeout=30s');
    await migrate(scene, 'second', {});
    expect(JSON.stringify((await untilSettled(scene, 'second')).status)).toContain('AlreadyMigrating');
    const error = await scene.refused(
      'patch',
      'migration',
      'first',
      '--type=merge',
      '-p',
      '{"spec":{"mode":"Live"}}',
    );
    expect(error).toContain('cannot be changed');
    expect((await migrationOf(scene, 'first'))?.status?.phase).not.toBe('Failed');
  });
}
