import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ROOT } from '../../src/apiserver/registry/keys.ts';
import { localPaths } from '../../src/config/local.ts';
import { containerKind } from '../../src/crds/container.ts';
import { leaseRef } from '../../src/crds/lease.ts';
import { nodeKind } from '../../src/crds/node.ts';
import type { KubeObject, ResourceRef } from '../../src/crds/object.ts';
import { storagePoolKind } from '../../src/crds/storage-pool.ts';
import { readOrEmpty } from '../../src/cmd/local/process.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { TrialCluster } from './cluster.ts';
import type { Seen } from './record.ts';

/**
 * All writes, read from etcd itself beside the API: it keeps each for ten minutes at least, and a watch that goes on after the
 * last revision leaves nothing out. So what happened while the API server was away, or while it had forgotten what was, is known.
 */
export interface History {
  readonly events: readonly Seen[];
  /** Waits until everything up to `revision` is there. @returns false when it is not after `withinMs` */
  upTo(revision: number, withinMs: number, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

const POLL_MS = 300;

export function followHistory(cluster: TrialCluster): History {
  const stop = new AbortController();
  const reading = createHistoryReader();
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const endpoint = endpointOf(cluster);
      if (endpoint !== undefined) await watchOnce(endpoint);
      await sleep(clock, POLL_MS, stop.signal);
    }
  };
  /** Until etcdctl ends, or etcd has another address: it is another one then. */
  const watchOnce = async (endpoint: string): Promise<void> => {
    const child = startWatch(cluster, endpoint, reading.revision() + 1);
    if (child === undefined) return;
    const ended = once(child, 'close');
    createInterface({ input: child.stdout as Readable }).on('line', (line) => reading.take(line));
    const over = new AbortController();
    void ended.then(() => over.abort());
    const either = AbortSignal.any([stop.signal, over.signal]);
    while ((await sleep(clock, POLL_MS, either)) && endpointOf(cluster) === endpoint);
    child.kill('SIGKILL');
    await ended;
  };
  const following = follow();
  return {
    events: reading.events,
    async upTo(revision, withinMs, signal) {
      const untilMs = clock.monotonicMs() + withinMs;
      while (reading.revision() < revision) {
        if (clock.monotonicMs() > untilMs || !(await sleep(clock, POLL_MS, signal))) return false;
      }
      return true;
    },
    async close() {
      stop.abort();
      await following;
    },
  };
}

function endpointOf(cluster: TrialCluster): string | undefined {
  const etcd = cluster.find('etcd');
  const argv = etcd === undefined ? '' : readOrEmpty(`/proc/${etcd.pid}/cmdline`);
  return /--advertise-client-urls=([^\0]+)/.exec(argv)?.[1];
}

function startWatch(cluster: TrialCluster, endpoint: string, from: number): ChildProcess | undefined {
  const plane = cluster.compartment();
  if (plane === undefined) return undefined;
  const pki = join(localPaths(cluster.stateDir).data, 'pki/etcd');
  const access = ['--cacert', 'ca.crt', '--cert', 'client.crt', '--key', 'client.key'].map((word) =>
    word.startsWith('--') ? word : join(pki, word),
  );
  const argv = ['etcdctl', '--endpoints', endpoint, ...access, 'watch', '--prefix', ROOT];
  // Into no other namespace: one of pids would put a process between, which is killed instead of it.
  const enter = ['-t', String(plane.initPid), '-n', '--'];
  const child = spawn('nsenter', [...enter, ...argv, '--rev', String(from), '-w', 'json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  // Whoever reads it goes on with another one.
  child.on('error', () => undefined);
  return child;
}

interface EtcdEvent {
  /** 1: deleted; absent: written. */
  type?: number;
  kv: { key: string; create_revision?: number; mod_revision: number; value?: string };
}

/** What `etcdctl watch -w json` prints, as events. */
export function createHistoryReader(): {
  readonly events: Seen[];
  revision(): number;
  take(line: string): void;
} {
  const events: Seen[] = [];
  const latest = new Map<string, KubeObject>();
  let last = 0;
  return {
    events,
    revision: () => last,
    take(line) {
      const { Events } = JSON.parse(line) as { Events?: EtcdEvent[] | null };
      // One response has all of a revision.
      const before = last;
      for (const event of Events ?? []) {
        if (event.kv.mod_revision <= before) continue;
        last = event.kv.mod_revision;
        const seen = seenOf(event, latest);
        if (seen !== undefined) events.push(seen);
      }
    },
  };
}

function seenOf({ type, kv }: EtcdEvent, latest: Map<string, KubeObject>): Seen | undefined {
  const path = Buffer.from(kv.key, 'base64').toString();
  const before = latest.get(path);
  const revision = kv.mod_revision;
  const times = { atMs: clock.monotonicMs(), wallMs: clock.nowMs(), revision };
  const { kind, key } = placeOf(path);
  if (type === 1) {
    latest.delete(path);
    if (before === undefined) return undefined;
    return { ...times, kind, key, type: 'DELETED', object: before } as Seen;
  }
  const object = JSON.parse(Buffer.from(kv.value ?? '', 'base64').toString()) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  latest.set(path, object);
  return { ...times, kind, key, type: before === undefined ? 'ADDED' : 'MODIFIED', object } as Seen;
}

const KINDS: readonly ResourceRef[] = [containerKind, nodeKind, storagePoolKind, leaseRef];

function placeOf(path: string): { kind: string; key: string } {
  const [group, resource, ...rest] = path.slice(ROOT.length).split('/');
  const ref = KINDS.find((one) => one.group === group && one.resource === resource);
  return ref === undefined
    ? { kind: 'Other', key: path.slice(ROOT.length) }
    : { kind: ref.kind, key: rest.join('/') };
}
