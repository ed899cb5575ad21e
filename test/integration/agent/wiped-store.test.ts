import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { API_VERSION, HOST_FINALIZER } from '../../../src/crds/kind.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import type { ObjectStore } from '../../../src/ports/object-store.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createFakeHost } from '../../support/fake-host.ts';
import { letIn } from '../../support/let-in.ts';
import { startTestAgent } from '../../support/test-agent.ts';
import { until } from '../../support/waiting.ts';

/** What an API server on an empty store costs a host: nothing, until an operator says that it is right so. */
const NODE = 'host-1';
const IMAGE = 'images:debian/12';
const WEB = 'web--default';
const never = new AbortController().signal;
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const host = createFakeHost(clock);
host.images.set(IMAGE, 'a'.repeat(64));

/** @returns ends it */
async function startAgent(
  { api, people }: { api: TestApiServer; people: ObjectStore },
  folder: string,
  acceptCluster?: string,
): Promise<() => Promise<void>> {
  const kubeConfig = join(folder, 'agent.kubeconfig');
  await writeFile(kubeConfig, await api.nodeKubeconfig(NODE));
  const common = { clock, logger: silentLogger, metrics: noMetrics };
  const store = createObjectStore({ ...common, kubeConfig, userAgent: 'test' });
  const stop = startTestAgent(
    {
      nodeName: NODE,
      host,
      store,
      leaseStore: letIn(store, () => people),
      stateFile: join(folder, 'desired-state.json'),
    },
    {
      statusMs: 500,
      resyncMs: 2_000,
      ...(acceptCluster === undefined ? {} : { acceptCluster }),
    },
  );
  let isStopped = false;
  const end = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await stop();
    store.close();
  };
  ends.push(end);
  return end;
}

async function startApi(pkiOf?: string): Promise<{ api: TestApiServer; people: ObjectStore }> {
  const api = await startApiServer(pkiOf === undefined ? {} : { pkiOf });
  ends.push(() => api.stop());
  const people = createObjectStore({
    kubeConfig: api.kubeconfigPath,
    userAgent: 'test',
    logger: silentLogger,
    clock,
  });
  ends.push(() => people.close());
  return { api, people };
}

const readyOf = async (people: ObjectStore) =>
  (await people.get<Node>(nodeKind, { name: NODE }, never))?.status?.conditions?.find(
    ({ type }) => type === 'Ready',
  );

describe('an API server that was started on an empty store', () => {
  it('removes no container, until the operator accepts it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hostler-wiped-'));
    ends.push(() => rm(folder, { recursive: true }));
    const first = await startApi();
    const stopFirst = await startAgent(first, folder);
    const created = await first.people.create<Container>(
      containerKind,
      {
        apiVersion: API_VERSION,
        kind: 'Container',
        metadata: { name: 'web', namespace: 'default', finalizers: [HOST_FINALIZER] },
        spec: { image: IMAGE },
      },
      never,
    );
    await first.people.updateStatus<Container>(
      containerKind,
      { ...created, status: { nodeName: NODE, epoch: 1, phase: 'Scheduled' } },
      never,
    );
    await until('web runs', () => host.instances.get(WEB)?.status === 'Running');
    await until('the node is Ready', async () => (await readyOf(first.people))?.status === 'True');
    await stopFirst();

    const wiped = await startApi(first.api.dataDir);
    const stopSecond = await startAgent(wiped, folder);
    await until('the node says so', async () => (await readyOf(wiped.people))?.reason === 'ForeignCluster');
    host.crash(WEB);
    await until('web runs again', () => host.instances.get(WEB)?.status === 'Running');
    await pause(3_000);
    expect(host.calls.filter((call) => /^(stop|delete)Instance/.test(call))).toEqual([]);
    const { message = '' } = (await readyOf(wiped.people)) ?? {};
    await stopSecond();

    await startAgent(wiped, folder, /--accept-cluster (\S+)/.exec(message)?.[1]);
    await until('what the store does not know is removed', () => !host.instances.has(WEB));
    await until('the node is Ready', async () => (await readyOf(wiped.people))?.status === 'True');
  });
});
