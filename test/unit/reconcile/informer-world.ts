import { expect } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { type Change, createInformer, type InformerOptions } from '../../../src/reconcile/informer.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeObjectStore, type FakeObjectStore } from '../../support/fake-object-store.ts';

export const { signal } = new AbortController();

export function container(name: string, labels: Record<string, string> = {}): Container {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { namespace: 'default', name, labels },
    spec: { image: 'images:debian/12' },
  };
}

export const keyOf = (name: string) => ({ namespace: 'default', name });

export function setUp(options: Partial<InformerOptions<Container>> = {}) {
  const clock = createFakeClock();
  const store = createFakeObjectStore(clock);
  const stop = new AbortController();
  const informer = createInformer<Container>({
    store,
    ref: containerKind,
    clock,
    logger: silentLogger,
    random: () => 0.5,
    ...options,
  });
  const changes: string[] = [];
  informer.onChange((change) => changes.push(describeChange(change)));
  const start = async (): Promise<void> => {
    ended = informer.start(stop.signal);
    await clock.advance(0);
  };
  let ended: Promise<void> = Promise.resolve();
  const finish = async (): Promise<void> => {
    stop.abort();
    await ended;
    expect([clock.pending(), store.faults.openWatches()]).toEqual([0, 0]);
  };
  const names = (): string[] => informer.cache.list().map(({ metadata }) => metadata.name);
  const calls = (verb: string): number => store.calls.filter((call) => call.verb === verb).length;
  return { clock, store, informer, changes, start, finish, names, calls };
}

export function describeChange({ key, old, new: now }: Change<Container>): string {
  if (!old) return `+${key.slice(8)}`;
  return now ? `~${key.slice(8)}` : `-${key.slice(8)}`;
}

export async function touch(store: FakeObjectStore, name: string): Promise<void> {
  const body = { metadata: { labels: { touched: String(store.calls.length) } } };
  await store.mergePatch(containerKind, keyOf(name), { body }, signal);
}
