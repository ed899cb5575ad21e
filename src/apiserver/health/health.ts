import type { Clock } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Headers } from '../endpoints/respond.ts';
import type { Exchange } from '../http/exchange.ts';

/** /livez, /readyz and /healthz, with one path for each check, as in Kubernetes. They are answered to everybody. */

export interface HealthCheck {
  name: string;
  /** Rejects, with the reason, when it is not well. */
  check: () => Promise<void>;
  /** Liveness is what a restart would mend: a store that is away is not. */
  isLiveness: boolean;
}

const ROOTS = ['/livez', '/readyz', '/healthz'] as const;

interface Result {
  name: string;
  /** Absent when it is well. */
  fault?: string;
}

/** @returns whether `path` is one of these */
export async function serveHealth(
  exchange: Exchange,
  request: { path: string; query: URLSearchParams; headers: Headers; showsReasons: boolean },
  checks: readonly HealthCheck[],
): Promise<boolean> {
  const { path, query } = request;
  const root = ROOTS.find((one) => path === one || path.startsWith(`${one}/`));
  if (root === undefined || (exchange.method !== 'GET' && exchange.method !== 'HEAD')) return false;
  const own = checks.filter(({ isLiveness }) => root !== '/livez' || isLiveness);
  const single = path.slice(root.length + 1);
  const excluded = new Set(query.getAll('exclude'));
  const asked = own.filter(({ name }) => (single === '' ? !excluded.has(name) : name === single));
  if (single !== '' && asked.length === 0) {
    answer(exchange, request.headers, 404, '404 page not found\n');
    return true;
  }
  const results = await Promise.all(asked.map(run));
  const isWell = results.every(({ fault }) => fault === undefined);
  const isVerbose = query.has('verbose') || !isWell;
  answer(
    exchange,
    request.headers,
    isWell ? 200 : 500,
    isVerbose ? report(root.slice(1), results, request.showsReasons) : 'ok',
  );
  return true;
}

async function run({ name, check }: HealthCheck): Promise<Result> {
  try {
    await check();
    return { name };
  } catch (error) {
    return { name, fault: messageOf(error) };
  }
}

function report(name: string, results: readonly Result[], showsReasons: boolean): string {
  const lines = results.map((result) => {
    if (result.fault === undefined) return `[+]${result.name} ok`;
    return `[-]${result.name} failed: ${showsReasons ? result.fault : 'reason withheld'}`;
  });
  const isWell = results.every(({ fault }) => fault === undefined);
  return `${[...lines, `${name} check ${isWell ? 'passed' : 'failed'}`].join('\n')}\n`;
}

function answer(exchange: Exchange, headers: Headers, code: number, text: string): void {
  exchange.respond(
    code,
    { ...headers, 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    text,
  );
}

/** Asked at most once in `forMs`, so that health endpoints, open to everybody, cannot be used to load the store. */
export function rememberFor(check: () => Promise<void>, forMs: number, clock: Clock): () => Promise<void> {
  let last: { atMs: number; result: Promise<void> } | undefined;
  return () => {
    const nowMs = clock.monotonicMs();
    if (last === undefined || nowMs - last.atMs >= forMs) last = { atMs: nowMs, result: check() };
    return last.result;
  };
}
