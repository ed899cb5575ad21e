import { containerKind, type Container } from '../../src/crds/container.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { silentLogger } from '../../src/ports/logger.ts';

export const IMAGE = 'file:///var/lib/hostler/images/busybox.tar.gz';

/** The YAML (as JSON documents, which is YAML too) of small containers that differ in their names alone. */
export function manifestOf(names: readonly string[]): string {
  const documents = names.map((name) => ({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, namespace: 'default', labels: { app: 'bench' } },
    spec: { image: IMAGE, stopTimeout: '1s' },
  }));
  return documents.map((document) => `---\n${JSON.stringify(document)}\n`).join('');
}

export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** Follows the containers of the namespace `default` by a watch, so that looking costs the cluster next to nothing. */
export interface ContainerWatch {
  /** Resolves with the time (`performance.now`) at which `holds` held for all of them, `undefined` being a deleted one. */
  until(names: readonly string[], holds: (container: Container | undefined) => boolean): Promise<number>;
  get(name: string): Container | undefined;
  close(): void;
}

const LIMIT_MS = 180_000;

export async function watchContainers(kubeConfig: string): Promise<ContainerWatch> {
  const store = createObjectStore({ kubeConfig, userAgent: 'hostler-bench', logger: silentLogger });
  const stop = new AbortController();
  const seen = new Map<string, Container>();
  const waiting = new Set<() => void>();
  const { items, resourceVersion } = await store.list<Container>(
    containerKind,
    { namespace: 'default' },
    stop.signal,
  );
  for (const item of items) seen.set(item.metadata.name, item);

  const follow = async (): Promise<void> => {
    for await (const event of store.watch<Container>(
      containerKind,
      { namespace: 'default', resourceVersion, timeoutSeconds: 3_600 },
      stop.signal,
    )) {
      if (event.type === 'BOOKMARK') continue;
      if (event.type === 'DELETED') seen.delete(event.object.metadata.name);
      else seen.set(event.object.metadata.name, event.object);
      for (const look of waiting) look();
    }
  };
  const following = follow().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });

  return {
    get: (name) => seen.get(name),
    until(names, holds) {
      const reached = new Promise<number>((resolve, reject) => {
        const done = (): boolean => names.every((name) => holds(seen.get(name)));
        const timer = setTimeout(() => {
          waiting.delete(look);
          const missing = names.filter((name) => !holds(seen.get(name)));
          reject(new Error(`After ${LIMIT_MS / 1000} s still not so: ${missing.slice(0, 5).join(', ')}`));
        }, LIMIT_MS);
        const look = (): void => {
          if (!done()) return;
          const nowMs = performance.now();
          clearTimeout(timer);
          waiting.delete(look);
          resolve(nowMs);
        };
        waiting.add(look);
        look();
      });
      return Promise.race([reached, following.then(() => reached)]);
    },
    close() {
      stop.abort();
      store.close();
    },
  };
}

export const isRunning = (container: Container | undefined): boolean =>
  container?.status?.phase === 'Running';
export const isGone = (container: Container | undefined): boolean => container === undefined;
