import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHostWatch } from '../../../src/agent/host-watch.ts';
import type { HostEvent } from '../../../src/ports/host-driver.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { createFakeClock, settle } from '../../support/fake-clock.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

const WEB = 'web--default';

describe('how often the agent looks at an instance', () => {
  let world: AgentWorld;
  const looks = (): number => world.calls('getInstance').filter((call) => call.endsWith(WEB)).length;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
    world.place('web');
    await world.clock.advance(10_000);
  });

  afterEach(() => world.stop());

  it('before and after its creation, and not because of its own writes and events', () => {
    expect(world.container('web')?.status).toMatchObject({ phase: 'Running', addresses: ['192.0.2.10'] });
    expect(looks()).toBe(2);
  });

  it.each([
    ['someone has started it', async () => world.host.startByHand(WEB)],
    ['someone has stopped it', async () => world.host.stopByHand(WEB)],
    ['it has ended', async () => world.host.crash(WEB)],
    ['its spec changes', () => world.change('web', ({ spec }) => ({ spec: { ...spec, stopTimeout: '1s' } }))],
    ['its annotations change', () => annotate(world)],
    ['someone else writes its status', () => world.change('web', () => ({ status: { phase: 'Failed' } }))],
  ])('again when %s', async (_, happens) => {
    const before = looks();
    await happens();
    await world.clock.advance(1_500);
    expect(looks()).toBeGreaterThan(before);
  });

  const claim = { name: 'm', uid: 'uid-m', source: NODE, target: 'other', transfer: 'Copy' as const };

  it('not when it is only said that it is going to move, or whence it came', async () => {
    const before = looks();
    await world.change('web', ({ status }) => ({ status: { ...status, drainedFrom: NODE } }));
    await world.change('web', ({ status }) => ({
      status: { ...status, migration: { ...claim, stage: 'Copying' } },
    }));
    await world.clock.advance(1_500);
    expect(looks()).toBe(before);
    await world.change('web', ({ status }) => ({
      status: { ...status, epoch: (status?.epoch ?? 0) + 1, migration: { ...claim, stage: 'Held' } },
    }));
    await world.clock.advance(1_500);
    expect(looks()).toBeGreaterThan(before);
    expect(world.host.instances.get(WEB)?.status).toBe('Stopped');
  });

  it('again when someone else has put its status back to what it was before its last change', async () => {
    const old = world.container('web')?.status;
    world.host.crash(WEB);
    await world.clock.advance(5_000);
    expect(world.container('web')?.status?.restarts).toBe(1);
    await world.change('web', () => (old === undefined ? {} : { status: old }));
    await world.clock.advance(100);
    expect(world.container('web')?.status?.restarts).toBe(1);
  });
});

async function annotate(world: AgentWorld): Promise<void> {
  await world.change('web', ({ metadata }) => ({ metadata: { ...metadata, annotations: { note: 'x' } } }));
}

const updated: HostEvent = { type: 'updated', name: WEB };
const stopped = (requested: boolean): HostEvent => ({ type: 'stopped', name: WEB, requested });

describe('an event that may only echo what the agent does', () => {
  it.each<[string, readonly string[], number, HostEvent?]>([
    ['is looked at after a while', [], 1],
    ['needs no look when one has begun after it, and succeeded', ['event', 'begin', 'succeed'], 0],
    ['is looked at when that look has failed', ['event', 'begin'], 1],
    ['is looked at when it came during the look', ['begin', 'event', 'succeed'], 1],
    ['is looked at when another came before the look', ['event', 'begin', 'event', 'succeed'], 1],
    ['waits while something is done to the instance', ['act', 'event'], 0],
    ['is looked at when that is done', ['act', 'event', 'done'], 1],
    ['needs no look but that after what was done', ['act', 'event', 'done', 'begin', 'succeed'], 0],
    ['needs none of its own as the stop that was asked for', ['act', 'event'], 0, stopped(true)],
    ['is looked at at once as a stop that nobody asked for', ['act', 'event'], 1, stopped(false)],
    ['is looked at at once as a stop that somebody else asked for', ['event'], 1, stopped(true)],
  ])('%s', async (_, steps, expected, event = updated) => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const events: HostEvent[] = [];
    let wake = (): void => {};
    let looks = 0;
    const watch = createHostWatch({
      host: {
        async *events(signal) {
          while (!signal.aborted) {
            yield* events.splice(0);
            await new Promise<void>((resolve) => (wake = resolve));
          }
        },
        listInstances: async () => [],
      },
      clock,
      logger: silentLogger,
      metrics: noMetrics,
      resyncMs: 600_000,
      onResync: () => {},
      onEvent: () => (looks += 1),
      onInstances: () => {},
    });
    const running = Promise.all(watch.runnables.map((part) => part.start(stop.signal)));
    await settle();
    let succeed = (): void => {};
    let done = (): void => {};
    for (const step of steps.length === 0 ? ['event'] : steps) {
      if (step === 'begin') succeed = watch.lookBegins('default/web');
      if (step === 'succeed') succeed();
      if (step === 'act') done = watch.actionBegins('default/web');
      if (step === 'done') {
        await clock.advance(1_500);
        done();
      }
      if (step === 'event') events.push(event);
      wake();
      await settle();
    }
    await clock.advance(5_000);
    expect(looks).toBe(expected);
    stop.abort();
    wake();
    await running;
  });
});
