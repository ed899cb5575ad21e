import { describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { isSameJson } from '../../../src/reconcile/same-json.ts';
import { writeStatus } from '../../../src/reconcile/status.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeObjectStore } from '../../support/fake-object-store.ts';

const { signal } = new AbortController();

async function setUp() {
  const store = createFakeObjectStore(createFakeClock());
  store.seed({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { namespace: 'default', name: 'web' },
    spec: { image: 'images:debian/12' },
  } as Container);
  const [container] = store.all<Container>(containerKind);
  return { store, container: container as Container, to: { store, ref: containerKind } };
}

describe('writeStatus', () => {
  it('writes once, and on a second pass nothing', async () => {
    const { store, container, to } = await setUp();
    const status = { phase: 'Running' as const, addresses: ['10.0.0.7'] };
    const written = await writeStatus(to, container, status, signal);
    expect(written.status).toEqual(status);
    expect(container.status).toBeUndefined();
    expect(store.writes()).toHaveLength(1);
    const again = await writeStatus(to, written, { addresses: ['10.0.0.7'], phase: 'Running' }, signal);
    expect(again).toBe(written);
    expect(store.writes()).toHaveLength(1);
  });

  it('loses against a writer who was faster', async () => {
    const { container, to } = await setUp();
    await writeStatus(to, container, { phase: 'Running' }, signal);
    await expect(writeStatus(to, container, { phase: 'Stopped' }, signal)).rejects.toMatchObject({
      code: 'Conflict',
    });
  });

  it('does not write a second time what a lost reply hid', async () => {
    const { store, container, to } = await setUp();
    store.faults.loseReply({ verb: 'updateStatus' });
    await expect(writeStatus(to, container, { phase: 'Running' }, signal)).rejects.toMatchObject({
      code: 'Timeout',
    });
    const [now] = store.all<Container>(containerKind);
    await writeStatus(to, now as Container, { phase: 'Running' }, signal);
    expect(store.writes()).toHaveLength(1);
  });
});

describe('isSameJson', () => {
  it.each([
    ['the order of keys does not count', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['an undefined member is an absent one', { a: 1, b: undefined }, { a: 1 }, true],
    ['null is not absent', { a: null }, {}, false],
    ['the order of items counts', [1, 2], [2, 1], false],
    ['a list is no object', [], {}, false],
    ['lists of different lengths differ', [1], [1, 2], false],
    ['nested values are compared', { a: [{ b: '1' }] }, { a: [{ b: 1 }] }, false],
    ['a member more differs', { a: 1 }, { a: 1, b: 2 }, false],
  ])('%s', (_, a, b, same) => {
    expect([isSameJson(a, b), isSameJson(b, a)]).toEqual([same, same]);
  });
});
