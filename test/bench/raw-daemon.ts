import { Pool } from 'undici';

/** A host's Incus daemon, driven directly over its unix socket, with no Hostler in between: what the figures are compared with. */
export interface RawDaemon {
  /** Creates and starts an instance from an image that is there, and waits for it. */
  create(name: string, fingerprint: string): Promise<void>;
  /** Forced stop and delete. */
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

const OPERATION_TIMEOUT_S = 60;

export function openRawDaemon(socketPath: string, connections: number): RawDaemon {
  const pool = new Pool('http://incus', { socketPath, connections });

  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<unknown> => {
    const { body: answer } = await pool.request({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headersTimeout: OPERATION_TIMEOUT_S * 2_000,
    });
    const reply = (await answer.json()) as {
      type: string;
      error?: string;
      operation?: string;
      metadata?: unknown;
    };
    if (reply.type === 'error') throw new Error(`${method} ${path}: ${reply.error}`);
    if (reply.type !== 'async') return reply.metadata;
    const done = (await call('GET', `${reply.operation}/wait?timeout=${OPERATION_TIMEOUT_S}`)) as {
      status_code: number;
      err: string;
    };
    if (done.status_code !== 200) throw new Error(`${method} ${path}: ${done.err}`);
    return done;
  };

  return {
    async create(name, fingerprint) {
      await call('POST', '/1.0/instances', {
        name,
        source: { type: 'image', fingerprint },
        start: true,
        profiles: [],
        config: { 'boot.autostart': 'false' },
        devices: {
          root: { type: 'disk', path: '/', pool: 'default' },
          eth0: { type: 'nic', network: 'incusbr0', name: 'eth0' },
        },
      });
    },
    async remove(name) {
      await call('PUT', `/1.0/instances/${name}/state`, { action: 'stop', force: true, timeout: 30 });
      await call('DELETE', `/1.0/instances/${name}`);
    },
    close: () => pool.close(),
  };
}

/** Runs `tasks`, at most `width` at a time. */
export async function inParallel(width: number, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const left = [...tasks];
  const worker = async (): Promise<void> => {
    for (let task = left.shift(); task !== undefined; task = left.shift()) await task();
  };
  await Promise.all(Array.from({ length: width }, worker));
}

export function numberedTasks(count: number, run: (index: number) => Promise<void>): (() => Promise<void>)[] {
  return Array.from({ length: count }, (_, index) => () => run(index));
}
