/**
 * A client of a control plane with several servers, as an agent is: it writes one object after the other, follows what the controllers
 * decide, and tells both with the machine's monotonic clock, one line each: `<milliseconds> acked|failed|decided <name>`.
 * Arguments: kubeconfig, servers with commas between them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { findCondition } from '../../src/crds/conditions.ts';
import { type Container, containerKind } from '../../src/crds/container.ts';
import { configMapRef } from '../../src/crds/lease.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { errorCode } from '../../src/ports/errors.ts';
import { silentLogger as logger } from '../../src/ports/logger.ts';
import { createInformer } from '../../src/reconcile/informer.ts';

const [, , kubeConfig = '', servers = ''] = process.argv;
const PAUSE_MS = 10;
/** So many of the objects are containers, about which something is to be decided. */
const EVERY = 8;

const { signal } = new AbortController();
const store = createObjectStore({ kubeConfig, servers: servers.split(','), userAgent: 'bench', logger });
const informer = createInformer<Container>({ store, ref: containerKind, clock, logger });
const tell = (what: string, name: string): void => {
  process.stdout.write(`${clock.monotonicMs()} ${what} ${name}\n`);
};
const decided = new Set<string>();
informer.onChange(({ new: now }) => {
  if (now === undefined || decided.has(now.metadata.name)) return;
  if (findCondition(now.status?.conditions, 'Scheduled') === undefined) return;
  decided.add(now.metadata.name);
  tell('decided', now.metadata.name);
});
void informer.start(signal);

async function write(index: number): Promise<void> {
  const name = `w-${process.pid}-${index}`;
  const metadata = { name, namespace: 'default' };
  try {
    if (index % EVERY === 0) {
      const spec = { image: 'images:debian/12' };
      const body = { apiVersion: 'hostler.dev/v1alpha1', kind: 'Container', metadata, spec };
      await store.create(containerKind, body, signal);
    } else {
      await store.create(configMapRef, { apiVersion: 'v1', kind: 'ConfigMap', metadata }, signal);
    }
    tell('acked', name);
  } catch (error) {
    tell('failed', `${name} ${errorCode(error)}`);
  }
}

for (let index = 0; ; index++) {
  await write(index);
  await delay(PAUSE_MS);
}
