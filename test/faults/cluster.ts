import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { CONTROL_PLANE, hostNames, IMAGES_DIR, localPaths } from '../../src/config/local.ts';
import { type Compartment, findCompartment, stopCompartment } from '../../src/cmd/local/compartment.ts';
import { DAEMON } from '../../src/cmd/local/daemon.ts';
import { networkOf, SWITCH } from '../../src/cmd/local/network.ts';
import { AGENT, guardOf } from '../../src/cmd/local/parts.ts';
import { SERVER } from '../../src/cmd/local/servers.ts';
import {
  childrenOf,
  identityOf,
  type ProcessIdentity,
  readOrEmpty,
  run,
} from '../../src/cmd/local/process.ts';
import { findLeaks, tearDown } from '../../src/cmd/local/teardown.ts';
import { mountDisks, unmountDisks } from './disk.ts';
import { buildHeartbeatImage } from './heartbeat-image.ts';
import type { Product } from './product.ts';
import { freePort } from '../support/free-port.ts';

export type Part = 'agent' | 'guard' | 'daemon' | 'server' | 'etcd';

/** A whole cluster as `hostler up` makes it, with ways to get at each of its processes and links. */
export interface TrialCluster {
  readonly stateDir: string;
  readonly kubeconfig: string;
  readonly hosts: readonly string[];
  /** Where containers with `volumes: [{pool: shared}]` have their folders. */
  readonly sharedDir: string;
  /** Starts what does not run, connects what was cut, and waits until every host is Ready. @throws Error after 60 s */
  up(): Promise<void>;
  /** @param host absent for those of the control plane @returns undefined when it does not run */
  find(part: Part, host?: string): ProcessIdentity | undefined;
  /** @returns undefined when it does not run; absent `name`: the control plane's */
  compartment(name?: string): Compartment | undefined;
  setLink(host: string | undefined, up: boolean): Promise<void>;
  /** Ends every process of the host at once. */
  loseHost(host: string): Promise<void>;
  /** @returns what is left all the same: nothing, if all is well */
  down(): Promise<string[]>;
}

/** The image whose containers write heartbeats. */
export const BEAT_IMAGE = `file://${IMAGES_DIR}/heartbeat.tar.gz`;
const UP_TIMEOUT_MS = 240_000;

export async function startTrialCluster(product: Product, count: number): Promise<TrialCluster> {
  const stateDir = mkdtempSync('/var/tmp/hostler-faults-');
  const paths = localPaths(stateDir);
  const hosts = hostNames(count);
  const port = String(await freePort());
  const argv = [product.hostler, 'up', '--hosts', String(count), '--port', port, '--state-dir', stateDir];
  const compartment = (name = CONTROL_PLANE): Compartment | undefined => findCompartment(stateDir, name);
  const cluster: TrialCluster = {
    stateDir,
    kubeconfig: paths.kubeconfig,
    hosts,
    sharedDir: paths.shared,
    up: async () => {
      await run(argv, { timeoutMs: UP_TIMEOUT_MS });
    },
    compartment,
    find(part, host) {
      const found = compartment(host);
      if (found === undefined) return undefined;
      if (part === 'guard') return guardOf(found);
      if (part === 'etcd') return etcdOf(found);
      return found.part({ agent: AGENT, daemon: DAEMON, server: SERVER }[part]);
    },
    async setLink(host = CONTROL_PLANE, up) {
      const bridge = findCompartment(stateDir, SWITCH);
      if (bridge === undefined) throw new Error('The switch between the hosts does not run');
      await networkOf(bridge).setLink(host, up);
    },
    loseHost: (host) => stopCompartment(stateDir, host),
    async down() {
      await unmountDisks(stateDir, hosts);
      await tearDown(stateDir);
      return existsSync(stateDir) ? [...findLeaks(stateDir), stateDir] : findLeaks(stateDir);
    },
  };
  try {
    await mountDisks(stateDir, hosts);
    await cluster.up();
    await buildHeartbeatImage(paths.image, join(paths.images, 'heartbeat.tar.gz'));
  } catch (error) {
    await cluster.down();
    throw error;
  }
  return cluster;
}

function etcdOf(plane: Compartment): ProcessIdentity | undefined {
  const server = plane.part(SERVER);
  if (server === undefined) return undefined;
  const pid = childrenOf(server.pid).find((child) => readOrEmpty(`/proc/${child}/comm`).trim() === 'etcd');
  return pid === undefined ? undefined : identityOf(pid);
}
