import { daemonRequest } from '../../src/cmd/local/daemon.ts';

/**
 * Moves by nothing but the daemons' own requests, in the order that docs/design/0002-host-driver.md recommends: what Hostler's moves are
 * compared with. Copy while it runs, once more, then the last pass.
 */
export interface RawHost {
  socketPath: string;
  /** `https://10.88.0.101:8443` */
  address: string;
}

export interface RawMove {
  name: string;
  pool: string;
  network: string;
  live: boolean;
}

/** As Hostler makes them for live moves. */
const RAW_LXC = 'lxc.console.path = none\nlxc.mount.auto =\nlxc.mount.auto = proc:rw sys:rw cgroup:mixed';
const WAIT_S = 25;
const MAX_WAITS = 20;

export async function createRaw(
  { socketPath }: RawHost,
  { name, pool, network }: Omit<RawMove, 'live'>,
  fingerprint: string,
): Promise<void> {
  const source = { type: 'image', fingerprint };
  await change(socketPath, 'POST', '/1.0/instances', { ...settings({ name, pool, network }), source });
}

export function startRaw({ socketPath }: RawHost, name: string): Promise<void> {
  return change(socketPath, 'PUT', `/1.0/instances/${name}/state`, { action: 'start' });
}

export async function removeRaw({ socketPath }: RawHost, name: string): Promise<void> {
  const { status } = (await daemonRequest(socketPath, 'GET', `/1.0/instances/${name}`)) as { status: string };
  if (status !== 'Stopped') await stopRaw(socketPath, name);
  await change(socketPath, 'DELETE', `/1.0/instances/${name}`);
}

/** @returns milliseconds in all; the copy at the source is left */
export async function moveRaw(source: RawHost, target: RawHost, move: RawMove): Promise<number> {
  const begunMs = performance.now();
  await passRaw(source, target, move, { refresh: false, live: false });
  await passRaw(source, target, move, { refresh: true, live: false });
  if (move.live) await passRaw(source, target, move, { refresh: true, live: true });
  else {
    await stopRaw(source.socketPath, move.name);
    await passRaw(source, target, move, { refresh: true, live: false });
    await startRaw(target, move.name);
  }
  return performance.now() - begunMs;
}

export async function passRaw(
  source: RawHost,
  target: RawHost,
  move: RawMove,
  { refresh, live }: { refresh: boolean; live: boolean },
): Promise<void> {
  const common = { live, instance_only: true, allow_inconsistent: !live };
  const path = `/1.0/instances/${move.name}`;
  const { config } = (await daemonRequest(source.socketPath, 'GET', path)) as {
    config: Record<string, string>;
  };
  const { environment } = (await daemonRequest(source.socketPath, 'GET', '/1.0')) as {
    environment: { certificate: string };
  };
  const offer = (await daemonRequest(source.socketPath, 'POST', path, { migration: true, ...common })) as {
    id: string;
    metadata: Record<string, string>;
  };
  const kept = Object.entries(config).filter(([key]) => /^volatile\.(base_image|.+\.hwaddr)$/.test(key));
  const body = settings(move);
  await change(target.socketPath, 'POST', '/1.0/instances', {
    ...body,
    config: { ...body.config, ...Object.fromEntries(kept) },
    source: {
      ...common,
      type: 'migration',
      mode: 'pull',
      operation: `${source.address}/1.0/operations/${offer.id}`,
      secrets: offer.metadata,
      certificate: environment.certificate,
      refresh,
    },
  });
}

function settings({ name, pool, network }: Omit<RawMove, 'live'>) {
  return {
    name,
    architecture: 'x86_64',
    profiles: [],
    config: { 'boot.autostart': 'false', 'raw.lxc': RAW_LXC },
    devices: {
      root: { type: 'disk', path: '/', pool },
      eth0: { type: 'nic', name: 'eth0', network },
    },
  };
}

/** @param graceSeconds of a clean stop; absent: by force */
export function stopRaw(socketPath: string, name: string, graceSeconds?: number): Promise<void> {
  return change(socketPath, 'PUT', `/1.0/instances/${name}/state`, {
    action: 'stop',
    force: graceSeconds === undefined,
    timeout: graceSeconds ?? -1,
  });
}

/** To the end of its operation. */
async function change(socketPath: string, method: string, path: string, body?: object): Promise<void> {
  const { id } = (await daemonRequest(socketPath, method, path, body)) as { id: string };
  const operation = `/1.0/operations/${id}`;
  for (let waits = 0; waits < MAX_WAITS; waits += 1) {
    // The answer names no operation when the time of the wait is over, nor when the operation has failed.
    const done = ((await daemonRequest(socketPath, 'GET', `${operation}/wait?timeout=${WAIT_S}`)) ??
      (await daemonRequest(socketPath, 'GET', operation))) as { status_code: number; err: string };
    if (done.status_code === 200) return;
    if (done.status_code >= 400) throw new Error(`${method} ${path}: ${done.err}`);
  }
  throw new Error(`${method} ${path}: does not end`);
}
