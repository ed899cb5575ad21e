import { Agent, request } from 'node:https';
import type { NetConnectOpts } from 'node:net';
import type { Clock, Timer } from '../../ports/clock.ts';

/**
 * The API servers behind a forwarder, and which of them is to be used: one that is ready if there is any, else one that is alive,
 * since it may still answer reads, else whichever. It stays with one as long as none is better.
 */
export interface Target {
  /** As it was given. */
  readonly name: string;
  readonly address: NetConnectOpts;
}

export type Health = 'ready' | 'alive' | 'silent';

export interface Targets {
  /** All, best first. */
  ranked(): Target[];
  /** A connection was made; the next ones go there as well. */
  worked(target: Target): void;
  /** A connection could not be made. */
  failed(target: Target): void;
  stop(): void;
}

const RANK: Readonly<Record<Health, number>> = { ready: 0, alive: 1, silent: 2 };
const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;

/** @throws Error when `text` is neither an absolute path nor an address with a port */
export function parseTarget(text: string): Target {
  if (text.startsWith('/')) return { name: text, address: { path: text } };
  const [, host = '', port = ''] =
    /^(?:https:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:[\]/]+):(\d{1,5})\/?$/.exec(text) ?? [];
  if (port === '') throw new Error(`--to ${text}: must be the path of a socket, or ADDRESS:PORT`);
  return { name: text, address: { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) } };
}

export interface TargetsOptions {
  targets: readonly Target[];
  probe: (target: Target) => Promise<Health>;
  clock: Clock;
  /** Called when another one is ready and this one is not any more: connections to it lead nowhere. */
  onWorse: (target: Target) => void;
}

/** With one target nothing is asked: there is no choice. */
export function watchTargets({ targets, probe, clock, onWorse }: TargetsOptions): Targets {
  const health = new Map<Target, Health>();
  const timers = new Set<Timer>();
  let isStopped = false;
  let current: Target | undefined;
  const rank = (target: Target): number => RANK[health.get(target) ?? 'alive'];
  const leaveWorse = (): void => {
    if (!targets.some((target) => health.get(target) === 'ready')) return;
    for (const target of targets) if (rank(target) > RANK.ready && health.has(target)) onWorse(target);
  };
  const look = async (target: Target): Promise<void> => {
    const found = await probe(target);
    if (isStopped) return;
    health.set(target, found);
    leaveWorse();
    const timer = clock.schedule(INTERVAL_MS, () => {
      timers.delete(timer);
      void look(target);
    });
    timers.add(timer);
  };
  if (targets.length > 1) for (const target of targets) void look(target);
  return {
    ranked: () =>
      [...targets].sort((a, b) => rank(a) - rank(b) || Number(b === current) - Number(a === current)),
    worked(target) {
      current = target;
    },
    failed(target) {
      health.set(target, 'silent');
    },
    stop() {
      isStopped = true;
      for (const timer of timers) timer.cancel();
    },
  };
}

/**
 * Asks an API server how it is, over connections that are kept. Whose certificate it has is not looked at: the clients do that,
 * with whom the TLS of what is forwarded is.
 */
export function createProbe(): { probe: (target: Target) => Promise<Health>; close: () => void } {
  const agents = new Map<Target, Agent>();
  const agentOf = (target: Target): Agent => {
    const known =
      agents.get(target) ?? new Agent({ keepAlive: true, maxSockets: 2, rejectUnauthorized: false });
    agents.set(target, known);
    return known;
  };
  return {
    async probe(target) {
      const agent = agentOf(target);
      const [isAlive, isReady] = await Promise.all(
        ['/livez', '/readyz'].map((path) => isWell(target, path, agent)),
      );
      if (isReady === true) return 'ready';
      return isAlive === true ? 'alive' : 'silent';
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function isWell({ address }: Target, path: string, agent: Agent): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const to = 'path' in address ? { socketPath: address.path } : { host: address.host, port: address.port };
  const asked = request(
    { ...to, path, agent, servername: 'localhost', signal: AbortSignal.timeout(TIMEOUT_MS) },
    (response) => {
      response.resume();
      response.once('error', () => resolve(false));
      response.once('end', () => resolve(response.statusCode === 200));
    },
  );
  // Refused, reset, silent: for what is asked here all the same.
  asked.once('error', () => resolve(false));
  asked.end();
  return promise;
}
