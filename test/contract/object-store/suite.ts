import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import type { ResourceRef } from '../../../src/crds/object.ts';
import { codeOf, container, keyTo, namespace, type StoreUnderTest } from './store-under-test.ts';
import { watchContract } from './suite-watch.ts';

const lease = (name: string, holderIdentity: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace, name },
  spec: { holderIdentity, leaseDurationSeconds: 5 },
});

/** What ObjectStore promises and its users rely on; the fake that unit tests stand on keeps it as the real API does. */
export function objectStoreContract(adapter: string, start: () => Promise<StoreUnderTest>): void {
  describe(`${adapter} keeps the contract of ObjectStore`, () => {
    const { signal } = new AbortController();
    let under: StoreUnderTest;
    let count = 0;
    /** Names of a test of its own. */
    const fresh = (): string => `ct${++count}`;
    const create = (name: string, labels?: Record<string, string>): Promise<Container> =>
      under.store.create(containerKind, container(name, labels), signal);
    const get = (name: string): Promise<Container | undefined> =>
      under.store.get<Container>(containerKind, keyTo(name), signal);

    beforeAll(async () => {
      under = await start();
    });
    afterAll(() => under.stop());

    describe('create', () => {
      it('gives an object its identity, and no status', async () => {
        const name = fresh();
        const made = await under.store.create<Container>(
          containerKind,
          { ...container(name), status: { phase: 'Running' } },
          signal,
        );
        expect(made.metadata).toMatchObject({ name, namespace, generation: 1 });
        expect(made.metadata.uid).toMatch(/./);
        expect(made.metadata.resourceVersion).toMatch(/^\d+$/);
        expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        expect(made.status).toBeUndefined();
        expect(await get(name)).toEqual(made);
      });

      it('refuses a name that is taken, and an object with a resourceVersion', async () => {
        const name = fresh();
        await create(name);
        expect(await codeOf(create(name))).toBe('AlreadyExists');
        const versioned = container(fresh());
        versioned.metadata.resourceVersion = '5';
        expect(await codeOf(under.store.create(containerKind, versioned, signal))).toBe('Invalid');
      });

      it('refuses what the kind does not allow', async () => {
        expect(await codeOf(create('two--dashes'))).toBe('Invalid');
      });
    });

    describe('get', () => {
      it('answers undefined for what is not there', async () => {
        expect(await get(fresh())).toBeUndefined();
      });
    });

    describe('update', () => {
      it('counts the generation up with the spec alone, and leaves the status as it is', async () => {
        const made = await create(fresh());
        const withStatus = await under.store.updateStatus<Container>(
          containerKind,
          { ...made, spec: { image: 'images:other' }, status: { phase: 'Running' } },
          signal,
        );
        expect(withStatus).toMatchObject({
          metadata: { generation: 1 },
          spec: { image: 'images:debian/12' },
          status: { phase: 'Running' },
        });
        const labelled = await under.store.update<Container>(
          containerKind,
          {
            ...withStatus,
            metadata: { ...withStatus.metadata, labels: { a: 'b' } },
            status: { phase: 'Failed' },
          },
          signal,
        );
        expect(labelled).toMatchObject({
          metadata: { generation: 1, labels: { a: 'b' } },
          status: { phase: 'Running' },
        });
        const changed = await under.store.update<Container>(
          containerKind,
          { ...labelled, spec: { ...labelled.spec, power: 'Stopped' } },
          signal,
        );
        expect(changed.metadata.generation).toBe(2);
      });

      it('writes nothing when nothing differs', async () => {
        const made = await create(fresh());
        const again = await under.store.update<Container>(containerKind, made, signal);
        expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
        const status = await under.store.updateStatus<Container>(
          containerKind,
          { ...made, status: {} },
          signal,
        );
        const same = await under.store.updateStatus<Container>(containerKind, status, signal);
        expect(same.metadata.resourceVersion).toBe(status.metadata.resourceVersion);
      });

      it.each(['update', 'updateStatus'] as const)(
        '%s is refused with an old, or no, resourceVersion',
        async (verb) => {
          const made = await create(fresh());
          const body = { metadata: { labels: { new: 'er' } } };
          await under.store.mergePatch(containerKind, keyTo(made.metadata.name), { body }, signal);
          const late = {
            ...made,
            spec: { ...made.spec, power: 'Stopped' as const },
            status: { phase: 'Failed' as const },
          };
          expect(await codeOf(under.store[verb](containerKind, late, signal))).toBe('Conflict');
          const { resourceVersion: _, ...metadata } = made.metadata;
          const unconditional = async () => under.store[verb](containerKind, { ...late, metadata }, signal);
          expect(await codeOf(unconditional())).toBe('Invalid');
        },
      );

      it('finds out that the object is gone', async () => {
        const made = await create(fresh());
        await under.store.delete(containerKind, keyTo(made.metadata.name), {}, signal);
        expect(await codeOf(under.store.update(containerKind, made, signal))).toBe('NotFound');
        expect(await codeOf(under.store.updateStatus(containerKind, made, signal))).toBe('NotFound');
      });

      it('is a compare and swap for leases, which have no status and no generation', async () => {
        const name = fresh();
        const made = await under.store.create(leaseRef, lease(name, 'a'), signal);
        expect(made.metadata.generation).toBeUndefined();
        const renewed = { ...made, spec: { ...made.spec, leaseTransitions: 1 } };
        const first = await under.store.update(leaseRef, renewed, signal);
        expect(first.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1 });
        expect(await codeOf(under.store.update(leaseRef, renewed, signal))).toBe('Conflict');
      });
    });

    describe('mergePatch', () => {
      const patch = (name: string, body: object, subresource?: 'status', ref: ResourceRef = containerKind) =>
        under.store.mergePatch<Container>(
          ref,
          keyTo(name),
          { body, ...(subresource === undefined ? {} : { subresource }) },
          signal,
        );

      it('sets, replaces and removes members', async () => {
        const name = fresh();
        await create(name, { a: '1', b: '2' });
        const patched = await patch(name, {
          metadata: { labels: { a: null, c: '3' } },
          spec: { power: 'Stopped' },
        });
        expect(patched.metadata).toMatchObject({ labels: { b: '2', c: '3' }, generation: 2 });
        expect(patched.spec).toMatchObject({ image: 'images:debian/12', power: 'Stopped' });
      });

      it('of the status touches nothing else, and the other way round', async () => {
        const name = fresh();
        await create(name);
        await patch(
          name,
          { status: { phase: 'Running', restarts: 1 }, spec: { power: 'Stopped' } },
          'status',
        );
        const patched = await patch(name, { status: { restarts: 2 }, metadata: { labels: { x: 'y' } } });
        expect(patched).toMatchObject({
          metadata: { generation: 1 },
          status: { phase: 'Running', restarts: 1 },
        });
        expect(patched.spec.power ?? 'Running').toBe('Running');
      });

      it('is conditional when it names a resourceVersion', async () => {
        const made = await create(fresh());
        const { name, resourceVersion } = made.metadata;
        const first = await patch(name, { metadata: { resourceVersion, labels: { a: '1' } } });
        expect(first.metadata.labels).toEqual({ a: '1' });
        expect(await codeOf(patch(name, { metadata: { resourceVersion, labels: { a: '2' } } }))).toBe(
          'Conflict',
        );
      });

      it('finds out that the object is not there', async () => {
        expect(await codeOf(patch(fresh(), { metadata: { labels: { a: '1' } } }))).toBe('NotFound');
      });
    });

    describe('delete', () => {
      it('removes the object, and is content when it is gone already', async () => {
        const name = fresh();
        await create(name);
        await under.store.delete(containerKind, keyTo(name), {}, signal);
        expect(await get(name)).toBeUndefined();
        await under.store.delete(containerKind, keyTo(name), {}, signal);
      });

      it('waits for the finalizers, and takes no new ones', async () => {
        const name = fresh();
        const held = container(name);
        held.metadata.finalizers = ['hostler.dev/host', 'example.com/other'];
        await under.store.create(containerKind, held, signal);
        await under.store.delete(containerKind, keyTo(name), {}, signal);
        const leaving = (await get(name)) as Container;
        expect(leaving.metadata.deletionTimestamp).toMatch(/Z$/);
        expect(leaving.metadata.generation).toBe(2);
        await under.store.delete(containerKind, keyTo(name), {}, signal);
        expect((await get(name))?.metadata.resourceVersion).toBe(leaving.metadata.resourceVersion);
        const setFinalizers = (finalizers: string[]) =>
          under.store.mergePatch(containerKind, keyTo(name), { body: { metadata: { finalizers } } }, signal);
        expect(await codeOf(setFinalizers(['example.com/other', 'example.com/new']))).toBe('Invalid');
        await setFinalizers(['example.com/other']);
        expect((await get(name))?.metadata.finalizers).toEqual(['example.com/other']);
        await setFinalizers([]);
        expect(await get(name)).toBeUndefined();
      });

      it('holds its preconditions', async () => {
        const { name, uid = '', resourceVersion = '' } = (await create(fresh())).metadata;
        const remove = (preconditions: object) =>
          under.store.delete(containerKind, keyTo(name), preconditions, signal);
        expect(await codeOf(remove({ uid: 'another' }))).toBe('Conflict');
        expect(await codeOf(remove({ resourceVersion: '1' }))).toBe('Conflict');
        await remove({ uid, resourceVersion });
        expect(await get(name)).toBeUndefined();
      });
    });

    describe('list', () => {
      const names = async (options: object): Promise<string[]> => {
        const list = await under.store.list<Container>(containerKind, options, signal);
        return list.items.map(({ metadata }) => metadata.name);
      };

      it('selects by labels and fields', async () => {
        const [a, b, c, mark] = [fresh(), fresh(), fresh(), fresh()];
        await create(a, { test: mark, app: 'web' });
        await create(b, { test: mark, app: 'db' });
        const other = await create(c, { test: mark });
        await under.store.updateStatus(
          containerKind,
          { ...other, status: { nodeName: `node-${mark}` } },
          signal,
        );
        const byLabels = (labels: string) => names({ labelSelector: `test=${mark},${labels}` });
        expect(await byLabels('app=web')).toEqual([a]);
        expect(await byLabels('app!=web')).toEqual([b, c]);
        expect(await byLabels('app in (web,db)')).toEqual([a, b]);
        expect(await byLabels('app notin (web)')).toEqual([b, c]);
        expect(await byLabels('app')).toEqual([a, b]);
        expect(await byLabels('!app')).toEqual([c]);
        expect(await names({ fieldSelector: `status.nodeName=node-${mark}` })).toEqual([c]);
        expect(await names({ namespace, fieldSelector: `metadata.name=${b}` })).toEqual([b]);
        expect(await names({ namespace: 'elsewhere', labelSelector: `test=${mark}` })).toEqual([]);
      });

      it.each([
        ['a label selector that is none', { labelSelector: 'a in (b' }],
        ['a field that cannot be selected by', { fieldSelector: 'spec.image=x' }],
      ])('refuses %s', async (_, options) => {
        expect(await codeOf(names(options))).toBe('Invalid');
      });

      it('pages through one version, whatever is written meanwhile', async () => {
        const [a, b, c, mark] = [fresh(), fresh(), fresh(), fresh()];
        for (const name of [a, b, c]) await create(name, { test: mark });
        const selection = { labelSelector: `test=${mark}`, limit: 2 };
        const first = await under.store.list<Container>(containerKind, selection, signal);
        expect(first.items.map(({ metadata }) => metadata.name)).toEqual([a, b]);
        expect(first.continue).toMatch(/./);
        await under.store.delete(containerKind, keyTo(c), {}, signal);
        const page = { ...selection, continue: first.continue ?? '' };
        const second = await under.store.list<Container>(containerKind, page, signal);
        expect(second.items.map(({ metadata }) => metadata.name)).toEqual([c]);
        expect(second.resourceVersion).toBe(first.resourceVersion);
        expect(second.continue).toBeUndefined();
      });
    });

    watchContract(() => under, fresh);
  });
}
