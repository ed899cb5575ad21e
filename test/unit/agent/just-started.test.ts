import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const WEB = 'web--default';

/** Invariant 10: a start that was asked for is no run that was seen, once there is a doubt. */
describe('what the agent says of a container that has just been started', () => {
  let world: AgentWorld;
  let said: string[];

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
    said = [];
    const record = world.store.updateStatus.bind(world.store);
    world.store.updateStatus = async (ref, object, signal) => {
      if (ref === containerKind) said.push(readyOf(object as unknown as Container));
      return await record(ref, object, signal);
    };
  });

  afterEach(() => world.stop());

  it.each([0, 1, 900, 1_900])(
    'is not Ready after the first end when its init ends after %d ms, again and again',
    async (afterMs) => {
      const watch = setEnd(world, afterMs);
      world.place('web');
      await world.clock.advance(afterMs);
      said.length = 0;
      await world.clock.advance(30_000);
      watch.stop();
      expect(watch.ends).toBeGreaterThan(3);
      expect(said.length).toBeGreaterThan(3);
      expect(said.filter((ready) => ready.startsWith('True'))).toEqual([]);
    },
  );

  it('is not Ready while the daemon shows the run that has ended once more', async () => {
    world.place('web', { restart: { policy: 'Never' } });
    await world.clock.advance(60_000);
    expect(said.at(-1)).toBe('True Running');
    const instance = world.host.instances.get(WEB);
    world.host.crash(WEB);
    await world.clock.advance(1);
    if (instance !== undefined) instance.status = 'Running';
    const before = said.length;
    await world.change('web', ({ metadata }) => ({
      metadata: { ...metadata, annotations: { look: 'now' } },
    }));
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'Ending' });
    if (instance !== undefined) instance.status = 'Stopped';
    await world.clock.advance(1_000);
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'Error' });
    expect(said.slice(before).filter((ready) => ready.startsWith('True'))).toEqual([]);
  });

  it('is Ready at once when the agent adopts what has run for long', async () => {
    world.place('web');
    await world.clock.advance(120_000);
    await world.stop();
    world.file.content = undefined as never;
    said.length = 0;
    await world.start();
    expect(world.ready('web')).toMatchObject({ status: 'True' });
    expect(said).toEqual([]);
  });
});

function readyOf({ status }: Container): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return `${ready?.status} ${ready?.reason}`;
}

/** Every run ends by itself `afterMs` after its start. */
function setEnd({ host, clock }: AgentWorld, afterMs: number) {
  const watch = { ends: 0, stop: (): void => undefined };
  const end = (): void => {
    if (host.instances.get(WEB)?.status !== 'Running') return;
    watch.ends += 1;
    host.crash(WEB, { kind: 'clean', message: 'Exited with status 0' });
  };
  const then = <P extends unknown[]>(start: (...parameters: P) => Promise<void>) => {
    return async (...parameters: P): Promise<void> => {
      await start(...parameters);
      if (afterMs === 0) return end();
      const timer = clock.schedule(afterMs, end);
      watch.stop = () => timer.cancel();
    };
  };
  host.createInstance = then(host.createInstance.bind(host));
  host.startInstance = then(host.startInstance.bind(host));
  return watch;
}
