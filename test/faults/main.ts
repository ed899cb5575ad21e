/**
 * `npm run faults -- [--minutes N] [--seed N] [--from N] [--episodes N] [--break NAME]`: random faults on a real cluster on this
 * machine, until time is up or something is found. It prints the seed; the same seed plays the same schedule.
 * `npm run faults -- --outage api|etcd [--minutes N]`: one outage of all API servers, or of etcd, of so many minutes; in its
 * middle one host is cut off besides.
 */
import { cpSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hostNames, localPaths } from '../../src/config/local.ts';
import { BREAKAGES, type BreakageName, breakageOf } from './breakages.ts';
import { buildProduct } from './product.ts';
import { runFaults, type RunReport } from './run.ts';
import { drawEpisode, type Episode, outageEpisode, type OutageOf, OUTAGES } from './schedule.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    episodes: { type: 'string' },
    break: { type: 'string' },
    outage: { type: 'string' },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const refuse = (why: string): never => {
  process.stderr.write(`${why}\n`);
  process.exit(2);
};
const whole = (option: string, text: string): number =>
  /^\d{1,9}$/.test(text) ? Number(text) : refuse(`--${option} ${text}: must be a whole number`);
const minutes = whole('minutes', values.minutes);
const seed = whole('seed', values.seed ?? String(Date.now() % 1_000_000));
const from = whole('from', values.from);
const most = values.episodes === undefined ? Number.POSITIVE_INFINITY : whole('episodes', values.episodes);
if (values.break !== undefined && !BREAKAGES.includes(values.break as BreakageName))
  refuse(`--break ${values.break}: must be one of ${BREAKAGES.join(', ')}`);

if (values.outage !== undefined && !OUTAGES.includes(values.outage as OutageOf))
  refuse(`--outage ${values.outage}: must be one of ${OUTAGES.join(', ')}`);

const HOSTS = hostNames(3);
let folder: string | undefined;
const kept = (): string => (folder ??= mkdtempSync(join(tmpdir(), 'hostler-found-')));
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
const untilMs = performance.now() + minutes * 60_000;
say(`seed ${seed}, ${minutes} minutes at most`);
const product = await buildProduct(
  values.break === undefined ? undefined : breakageOf(values.break as BreakageName),
);
try {
  const report = await runFaults({
    product,
    seed,
    log: say,
    signal: stop.signal,
    onFinding: keepLogs,
    next: nextEpisode,
  });
  tell(report);
} finally {
  product.remove();
}

function nextEpisode(number: number): Episode | undefined {
  if (values.outage !== undefined)
    return number === 0 ? outageEpisode(values.outage as OutageOf, minutes * 60_000, HOSTS) : undefined;
  return number < most && performance.now() < untilMs ? drawEpisode(seed, from + number, HOSTS) : undefined;
}

function tell({ findings, record, episodes, convergedMs, starts }: RunReport): void {
  const beats = [...record.beats.values()].reduce((sum, lines) => sum + lines.length, 0);
  const slowest = Math.max(0, ...convergedMs) / 1_000;
  say(
    `${episodes} episodes, ${starts} starts, ${beats} heartbeats, ${record.calls.length} calls, ` +
      `${record.history.length} writes; slowest to converge: ${slowest.toFixed(1)} s`,
  );
  for (const { rule, text } of findings) say(`FOUND ${rule}: ${text}`);
  say(findings.length === 0 ? 'nothing found' : `${findings.length} found; seed ${seed}`);
  if (findings.length === 0) return;
  process.exitCode = 1;
  writeFileSync(
    join(kept(), 'record.json'),
    JSON.stringify({ ...record, beats: Object.fromEntries(record.beats) }),
  );
  say(`the record and the logs are in ${kept()}`);
}

function keepLogs(stateDir: string): void {
  cpSync(localPaths(stateDir).logs, join(kept(), 'logs'), { recursive: true });
  for (const host of HOSTS) {
    const log = join(localPaths(stateDir).compartments, host, 'agent/guard.log');
    if (existsSync(log)) cpSync(log, join(kept(), 'logs', `${host}-guard.log`));
  }
}
