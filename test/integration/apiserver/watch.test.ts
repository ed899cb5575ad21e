import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient, WatchStream } from '../../support/api-client.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { configMap } from '../../support/manifests.ts';

/** Watches over the wire: their frames, their ends, and clients that do not read. */
const MAPS = '/api/v1/namespaces/default/configmaps';
let server: TestApiServer;
let admin: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  admin = await server.adminClient();
});
afterAll(() => server.stop());

const create = async (name: string, size = 1): Promise<string> => {
  const { text } = await admin.request('POST', MAPS, { body: configMap(name, { a: 'x'.repeat(size) }) });
  const { metadata } = JSON.parse(text) as { metadata: { resourceVersion: string } };
  return metadata.resourceVersion;
};

const isNamed =
  (name: string) =>
  ({ object }: WatchStream['frames'][number]): boolean =>
    (object['metadata'] as { name?: string } | undefined)?.name === name;

describe('a watch', () => {
  it('begins after the given version, and goes on', async () => {
    const from = await create('first');
    const watch = await admin.watch(`${MAPS}?watch=true&resourceVersion=${from}`);
    await create('second');
    expect((await watch.until(isNamed('second'))).type).toBe('ADDED');
    await admin.request('DELETE', `${MAPS}/second`);
    await watch.until((frame) => frame.type === 'DELETED');
    expect(watch.frames.some(isNamed('first'))).toBe(false);
    watch.close();
  });

  it('on the deprecated path is about one object', async () => {
    const watch = await admin.watch('/api/v1/watch/namespaces/default/configmaps/first');
    expect((await watch.until(isNamed('first'))).type).toBe('ADDED');
    watch.close();
  });

  it('gives Tables, with columns only in the first', async () => {
    const watch = await admin.watch(`${MAPS}?watch=true`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    await create('third');
    const isRow = (name: string) => (frame: WatchStream['frames'][number]) =>
      JSON.stringify(frame.object['rows']).includes(name);
    await watch.until(isRow('third'));
    const [first, ...others] = watch.frames;
    expect(first?.object['columnDefinitions']).toHaveLength(3);
    expect(others.map(({ object }) => object['columnDefinitions'])).toEqual(others.map(() => null));
    watch.close();
  });

  it('gives metadata alone', async () => {
    const watch = await admin.watch(`${MAPS}?watch=true`, {
      accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    });
    const { object } = await watch.until(isNamed('first'));
    expect(Object.keys(object).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
    watch.close();
  });

  it('ends after timeoutSeconds', async () => {
    const watch = await admin.watch(`${MAPS}?watch=true&timeoutSeconds=1`);
    await watch.ended;
    expect(watch.frames.every(({ type }) => type === 'ADDED')).toBe(true);
  });

  it('with sendInitialEvents marks the end of what there was', async () => {
    const watch = await admin.watch(
      `${MAPS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`,
    );
    const { object } = await watch.until(({ type }) => type === 'BOOKMARK');
    expect(object['metadata']).toMatchObject({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    watch.close();
  });
});

it('a client that does not read holds up nobody', async () => {
  const slow = await admin.watch(`${MAPS}?watch=true`);
  slow.message.pause();
  const quick = await admin.watch(`${MAPS}?watch=true`);
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 8 }, (_, lane) => create(`load-${round}-${lane}`, 60_000)));
  }
  await quick.until(isNamed('load-19-7'));
  quick.close();
  // What it missed waits for it, up to the bound of the watch cache.
  slow.message.resume();
  expect((await slow.until(isNamed('load-19-7'))).type).toBe('ADDED');
  slow.close();
});

it('ends its watches when the server stops', async () => {
  const other = await startApiServer();
  const client = await other.adminClient();
  const watch = await client.watch(`${MAPS}?watch=true`);
  const startMs = performance.now();
  await other.stop();
  await watch.ended;
  expect(performance.now() - startMs).toBeLessThan(4_000);
});
