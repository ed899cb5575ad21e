import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import { messageOf } from '../../src/ports/errors.ts';
import { startTrialCluster, type TrialCluster } from './cluster.ts';
import { untilConverged } from './converged.ts';
import { playEpisode } from './inject.ts';
import type { Product } from './product.ts';
import { readBeats, type RunRecord, watchAll, type Watching } from './record.ts';
import type { Episode } from './schedule.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import type { Finding } from './validate/finding.ts';
import { livesOf } from './validate/heartbeats.ts';
import { findUnsafe, validate } from './validate/validate.ts';

/** One cluster, and one episode of faults after the other. */
export interface RunOptions {
  product: Product;
  /** Asked for one after the other; undefined ends the run, as the first finding does. */
  next: (number: number) => Episode | undefined;
  seed: number;
  log: (line: string) => void;
  signal: AbortSignal;
  /** Something was found, and the cluster is still there. */
  onFinding?: (stateDir: string) => void;
}

export interface RunReport {
  findings: Finding[];
  record: RunRecord;
  episodes: number;
  /** After the end of each episode's faults, `hostler up` included. */
  convergedMs: number[];
  /** Starts of containers, calls of the API, events of one watch. */
  starts: number;
}

const HOSTS = 3;
/** From the last fault's end, and `hostler up` after it, until everything runs where it should. */
const CONVERGE_MS = 45_000;
const BEGIN_MS = 60_000;
/** So long nothing may be written at the end, but leases, once it was quiet for the first part. */
const QUIET_MS = 4_000;

export async function runFaults(options: RunOptions): Promise<RunReport> {
  const { product, seed, log, signal } = options;
  const cluster = await startTrialCluster(product, HOSTS);
  log(`a cluster of ${HOSTS} hosts in ${cluster.stateDir}`);
  let traffic: Traffic | undefined;
  const watching: Watching[] = [];
  try {
    const { kubeconfig: kubeConfig, hosts } = cluster;
    watching.push(await watchAll(kubeConfig), await watchAll(kubeConfig));
    traffic = await startTraffic({ kubeConfig, hosts, seed });
    const report = await runEpisodes(options, { cluster, traffic, watching });
    if (report.findings.length > 0) options.onFinding?.(cluster.stateDir);
    return report;
  } finally {
    await traffic?.close();
    for (const watch of watching) await watch.close();
    const left = await cluster.down();
    if (left.length > 0) log(`left behind: ${left.join('; ')}`);
    if (!signal.aborted) log('the cluster is gone');
  }
}

interface Trial {
  cluster: TrialCluster;
  traffic: Traffic;
  watching: readonly Watching[];
}

async function runEpisodes(options: RunOptions, trial: Trial): Promise<RunReport> {
  const { next, log, signal } = options;
  const findings: Finding[] = [];
  const convergedMs: number[] = [];
  const begun = await converged(trial, BEGIN_MS, signal);
  if (begun !== undefined) findings.push({ rule: 'everything runs at the begin', text: begun });
  let number = 0;
  let episode: Episode | undefined;
  while (findings.length === 0) {
    episode = signal.aborted ? undefined : next(number);
    if (episode === undefined) break;
    number += 1;
    log(`episode ${episode.name}`);
    const outcome = await runEpisode(trial, episode, options);
    findings.push(...outcome.findings);
    convergedMs.push(outcome.convergedMs);
  }
  if (!signal.aborted && findings.length === 0) findings.push(...(await writesAtRest(trial, signal)));
  const record = recordOf(trial);
  const found = findings.concat(validate(record));
  const starts = [...record.beats.values()].reduce((sum, beats) => sum + livesOf(beats).length, 0);
  return { findings: dedupe(found), record, episodes: number, convergedMs, starts };
}

/** What was unsafe is told at once: a cluster that may be broken need not converge. */
async function runEpisode(
  trial: Trial,
  episode: Episode,
  { log, signal }: RunOptions,
): Promise<{ findings: Finding[]; convergedMs: number }> {
  const { cluster, traffic } = trial;
  const livesBefore = livesNow(trial);
  traffic.begin(episode.traffic);
  await playEpisode(cluster, episode, log, signal);
  const endedMs = clock.monotonicMs();
  const findings = findUnsafe(recordOf(trial));
  if (findings.length === 0) findings.push(...(await heal(trial, episode, signal)));
  const convergedMs = clock.monotonicMs() - endedMs;
  if (findings.length > 0) return { findings, convergedMs };
  log(`  converged ${(convergedMs / 1_000).toFixed(1)} s after the faults`);
  if (episode.isOutage) findings.push(...stoppedInOutage(livesBefore, livesNow(trial), episode));
  findings.push(...findUnsafe(recordOf(trial)));
  return { findings, convergedMs };
}

async function heal(trial: Trial, { name }: Episode, signal: AbortSignal): Promise<Finding[]> {
  const finding = (text: string): Finding[] => [{ rule: 'everything converges', text: `${name}: ${text}` }];
  try {
    await trial.cluster.up();
    await trial.traffic.settle();
  } catch (error) {
    return finding(messageOf(error));
  }
  const missing = await converged(trial, CONVERGE_MS, signal);
  return missing === undefined || signal.aborted ? [] : finding(missing);
}

function converged({ cluster, traffic, watching }: Trial, withinMs: number, signal: AbortSignal) {
  const [watch] = watching as [Watching];
  return untilConverged(cluster, traffic.names, { log: watch.log, withinMs, signal });
}

function livesNow({ cluster, traffic }: Trial): Map<string, string> {
  return new Map(
    traffic.names.map((name) => [name, livesOf(readBeats(cluster.sharedDir, name)).at(-1)?.boot ?? '']),
  );
}

/** An outage of the control plane alone stops nothing. */
function stoppedInOutage(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  { name }: Episode,
): Finding[] {
  return [...before].flatMap(([container, boot]) =>
    after.get(container) === boot
      ? []
      : [{ rule: 'an outage stops nothing', text: `${name}: ${container} was stopped in it` }],
  );
}

/** A cluster that has converged writes nothing but renewals. */
async function writesAtRest({ watching }: Trial, signal: AbortSignal): Promise<Finding[]> {
  const [{ log }] = watching as [Watching];
  await sleep(clock, QUIET_MS, signal);
  const from = log.events.length;
  await sleep(clock, QUIET_MS, signal);
  return log.events
    .slice(from)
    .filter(({ kind }) => kind !== 'Lease')
    .map(({ kind, key, type }) => ({ rule: 'no writes at rest', text: `${type} ${kind} ${key}` }));
}

function recordOf({ cluster, traffic, watching }: Trial): RunRecord {
  return {
    beats: new Map(traffic.names.map((name) => [name, readBeats(cluster.sharedDir, name)])),
    calls: traffic.calls,
    watches: watching.map(({ log }) => log),
  };
}

function dedupe(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [`${finding.rule}: ${finding.text}`, finding])).values()];
}
