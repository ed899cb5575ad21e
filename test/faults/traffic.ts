import { type Container, containerKind } from '../../src/crds/container.ts';
import { FLAPPING_TAINT } from '../../src/crds/kind.ts';
import { storagePoolKind, type StoragePool } from '../../src/crds/storage-pool.ts';
import { SHARED_DIR } from '../../src/config/local.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { RESTARTED_AT_ANNOTATION } from '../../src/plan/lifecycle/record.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import { errorCode, messageOf } from '../../src/ports/errors.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { BEAT_IMAGE } from './cluster.ts';
import { BEAT_PATH } from './heartbeat-image.ts';
import { createRandom, type Random } from './random.ts';
import type { Call } from './record.ts';
import type { Episode } from './schedule.ts';

/** Written higher with each write to a container, so that what was lost can be told. */
export const COUNTER_ANNOTATION = 'faults.hostler.dev/counter';

/** Changes containers all the time, each by one writer that goes on to the next write when the last one has ended. */
export interface Traffic {
  readonly names: readonly string[];
  readonly calls: Call[];
  begin(what: Episode['traffic']): void;
  /** Ends what was begun so that every container exists again and is to run. @throws Error when that takes over three minutes */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** What goes elsewhere when its host is lost; the others stay. */
export function isRecovered(container: string): boolean {
  return !container.startsWith('stay-');
}

const SHARED_POOL = 'shared';
const SETTLE_MS = 180_000;
const POOL_MS = 90_000;
const RETRY_MS = 400;
const LABELS = { app: 'faults' };

/** The containers of a trial: some that are recovered or made anew elsewhere, and one on each host that stays. */
function containersOf(hosts: readonly string[]): Container[] {
  const numbers = hosts.map((_, index) => index + 1);
  const volumes = [{ name: 'beat', pool: SHARED_POOL, path: BEAT_PATH }];
  const common = { image: BEAT_IMAGE, stopTimeout: '1s', volumes };
  // The same hosts are lost again and again.
  const tolerations = [{ key: FLAPPING_TAINT, operator: 'Exists' }];
  const container = (name: string, spec: object): Container => ({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, namespace: 'default', labels: LABELS },
    spec: { ...common, ...spec },
  });
  const spread = [{ topologyKey: 'hostler.dev/host', maxSkew: 1, matchLabels: LABELS }];
  return [
    ...numbers.map((number) =>
      container(`anew-${number}`, { failover: { policy: 'Recreate' }, placement: { spread, tolerations } }),
    ),
    ...numbers
      .slice(0, 2)
      .map((number) =>
        container(`keep-${number}`, { rootPool: SHARED_POOL, placement: { spread, tolerations } }),
      ),
    ...hosts.map((host, index) =>
      container(`stay-${index + 1}`, {
        failover: { policy: 'Stay' },
        placement: { nodeName: host, tolerations },
      }),
    ),
  ];
}

export interface TrafficOptions {
  kubeConfig: string;
  hosts: readonly string[];
  seed: number;
}

/** Creates the containers; that they run is for the caller to wait for. */
export async function startTraffic({ kubeConfig, hosts, seed }: TrafficOptions): Promise<Traffic> {
  const store = createObjectStore({
    kubeConfig,
    userAgent: 'hostler-traffic',
    logger: silentLogger,
    requestTimeoutMs: 5_000,
  });
  const stop = new AbortController();
  await store.create<StoragePool>(
    storagePoolKind,
    {
      apiVersion: 'hostler.dev/v1alpha1',
      kind: 'StoragePool',
      metadata: { name: SHARED_POOL },
      spec: { driver: 'dir', access: 'Shared', source: SHARED_DIR },
    },
    stop.signal,
  );
  await untilPoolReady(store, hosts.length, stop.signal);
  const calls: Call[] = [];
  const containers = containersOf(hosts);
  const writers = containers.map((container) =>
    createWriter(container, { store, calls, signal: stop.signal }),
  );
  await Promise.all(writers.map((writer) => writer.create()));
  let pause: AbortController | undefined;
  let running: Promise<void>[] = [];
  let round = 0;
  return {
    names: containers.map(({ metadata }) => metadata.name),
    calls,
    begin(what) {
      const own = new AbortController();
      pause = own;
      round += 1;
      running = writers.map((writer, index) =>
        keepWriting(writer, createRandom(seed * 7_919 + round * 101 + index), { what, signal: own.signal }),
      );
    },
    async settle() {
      pause?.abort();
      const limit = sleep(clock, SETTLE_MS, stop.signal).then(() => 'late' as const);
      const done = Promise.all(running).then(() => 'done' as const);
      if ((await Promise.race([limit, done])) === 'late')
        throw new Error(`The API did not take what was begun within ${SETTLE_MS / 1_000} s after the faults`);
    },
    async close() {
      pause?.abort();
      stop.abort();
      await Promise.allSettled(running);
      store.close();
    },
  };
}

/** A pool that is ready on one host only would have everything there. @throws Error after 90 s */
async function untilPoolReady(store: ObjectStore, hosts: number, signal: AbortSignal): Promise<void> {
  const untilMs = clock.monotonicMs() + POOL_MS;
  for (;;) {
    const pool = await store.get<StoragePool>(storagePoolKind, { name: SHARED_POOL }, signal);
    if (pool?.status?.readyNodes === hosts) return;
    if (clock.monotonicMs() > untilMs)
      throw new Error(`The shared pool is ready on ${pool?.status?.readyNodes ?? 0} of ${hosts} hosts only`);
    await sleep(clock, RETRY_MS, signal);
  }
}

async function keepWriting(
  writer: Writer,
  random: Random,
  { what, signal }: { what: Episode['traffic']; signal: AbortSignal },
): Promise<void> {
  while (await sleep(clock, random.between(200, 1_500), signal)) {
    const draw = random.fraction();
    if (what === 'marks' || (what === 'all' && draw < 0.75)) await writer.mark();
    else if (what === 'restarts' || draw < 0.85) await writer.restart();
    else if (draw < 0.95) await writer.stopAndStart(random.between(200, 2_000));
    else await writer.deleteAndCreate();
  }
}

interface Writer {
  create(): Promise<void>;
  mark(): Promise<void>;
  restart(): Promise<void>;
  stopAndStart(forMs: number): Promise<void>;
  deleteAndCreate(): Promise<void>;
}

function createWriter(
  container: Container,
  { store, calls, signal }: { store: ObjectStore; calls: Call[]; signal: AbortSignal },
): Writer {
  const { name, namespace = 'default' } = container.metadata;
  const key = { namespace, name };
  let counter = 0;

  const call = async (verb: Call['verb'], act: () => Promise<Container | void>): Promise<Call> => {
    const entry: Call = {
      container: name,
      verb,
      begunMs: clock.monotonicMs(),
      endedMs: 0,
      outcome: 'unknown',
    };
    if (verb !== 'delete') entry.counter = counter;
    try {
      const reply = await act();
      entry.outcome = 'done';
      if (reply)
        Object.assign(entry, { uid: reply.metadata.uid, revision: Number(reply.metadata.resourceVersion) });
    } catch (error) {
      entry.error = messageOf(error);
      const code = errorCode(error) ?? '';
      if (['AlreadyExists', 'Conflict', 'Invalid', 'NotFound', 'Forbidden'].includes(code))
        entry.outcome = 'refused';
    }
    entry.endedMs = clock.monotonicMs();
    calls.push(entry);
    return entry;
  };
  const patch = (body: { annotations?: object; spec?: object }): Promise<Call> => {
    counter += 1;
    const annotations = { ...body.annotations, [COUNTER_ANNOTATION]: String(counter) };
    const merged = { metadata: { annotations }, ...(body.spec === undefined ? {} : { spec: body.spec }) };
    return call('patch', () => store.mergePatch<Container>(containerKind, key, { body: merged }, signal));
  };
  const insist = async (attempt: () => Promise<Call>, isEnough: (call: Call) => boolean): Promise<void> => {
    while (!signal.aborted && !isEnough(await attempt())) await sleep(clock, RETRY_MS, signal);
  };
  const create = (): Promise<void> =>
    insist(
      () => {
        counter += 1;
        const annotations = { [COUNTER_ANNOTATION]: String(counter) };
        const object = { ...container, metadata: { ...container.metadata, annotations } };
        return call('create', () => store.create<Container>(containerKind, object, signal));
      },
      // Made by an attempt whose reply was lost.
      ({ outcome, error }) =>
        outcome === 'done' || (outcome === 'refused' && /already exists/i.test(error ?? '')),
    );
  return {
    create,
    mark: async () => void (await patch({})),
    restart: async () =>
      void (await patch({
        annotations: { [RESTARTED_AT_ANNOTATION]: new Date(clock.nowMs()).toISOString() },
      })),
    async stopAndStart(forMs) {
      await patch({ spec: { power: 'Stopped' } });
      await sleep(clock, forMs, signal);
      await insist(
        () => patch({ spec: { power: 'Running' } }),
        ({ outcome }) => outcome === 'done',
      );
    },
    async deleteAndCreate() {
      const { outcome } = await call('delete', () => store.delete(containerKind, key, {}, signal));
      if (outcome === 'refused') return;
      await untilGone(store, key, signal);
      await create();
    },
  };
}

/** Waits until it is gone, and deletes it again if the deletion was lost. */
async function untilGone(
  store: ObjectStore,
  key: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const found = await store.get<Container>(containerKind, key, signal);
      if (found === undefined) return;
      if (found.metadata.deletionTimestamp === undefined) await store.delete(containerKind, key, {}, signal);
    } catch {
      // The API is away: asked again.
    }
    await sleep(clock, RETRY_MS, signal);
  }
}
