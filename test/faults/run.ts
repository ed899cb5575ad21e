import { availableParallelism, loadavg } from 'node:os';
import { openDesiredStateFile } from '../../src/agent/state/desired-state-file.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import { messageOf } from '../../src/ports/errors.ts';
import { desiredStatePath } from '../support/cluster.ts';
import { type BeatReader, createBeatReader } from './beats.ts';
import { startTrialCluster, type TrialCluster } from './cluster.ts';
import { untilConverged } from './converged.ts';
import { followHistory, type History } from './history.ts';
import { playEpisode } from './inject.ts';
import type { Product } from './product.ts';
import type { Played, RunRecord } from './record.ts';
import { type Episode, isPlaneFault } from './schedule.ts';
import { isRecovered, startTraffic, type Traffic } from './traffic.ts';
import { type Finding, findingOf } from './validate/finding.ts';
import { livesOf } from './validate/heartbeats.ts';
import { findStopped } from './validate/outage.ts';
import { findUnsaved, findWritesAtRest } from './validate/rest.ts';
import { findAlive, findUnsafe, validate } from './validate/validate.ts';
import { watchAll, type Watching } from './watching.ts';

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
  /** Of containers. */
  starts: number;
}

const HOSTS = 3;
/**
 * From the last fault's end, and `hostler up` after it, until everything runs where it should, on a machine that has its
 * processors to itself. One that is busy with other things takes as many times longer.
 */
const CONVERGE_MS = 45_000;
/** Processes per processor that want to run; the cluster itself makes one or two. */
const OWN_LOAD = 4;
const BEGIN_MS = 60_000;
/** So long nothing may be written at the end, but leases, once it was quiet for the first part. */
const QUIET_MS = 4_000;
/** Until what was seen through the API is seen in etcd as well. */
const HISTORY_MS = 20_000;

export async function runFaults(options: RunOptions): Promise<RunReport> {
  const { product, seed, log, signal } = options;
  const cluster = await startTrialCluster(product, HOSTS);
  log(`a cluster of ${HOSTS} hosts in ${cluster.stateDir}`);
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const { kubeconfig: kubeConfig, hosts } = cluster;
    const history = followHistory(cluster);
    ends.push(() => history.close());
    const watching = await Promise.all([watchAll(kubeConfig), watchAll(kubeConfig)]);
    ends.push(...watching.map((watch) => () => watch.close()));
    const traffic = await startTraffic({ kubeConfig, hosts, seed });
    ends.push(() => traffic.close());
    const beats = createBeatReader(cluster.sharedDir);
    const trial: Trial = { cluster, traffic, watching, history, beats, played: [] };
    const report = await runEpisodes(options, trial);
    if (report.findings.length > 0) options.onFinding?.(cluster.stateDir);
    return report;
  } finally {
    for (const end of ends.toReversed()) await end();
    const left = await cluster.down();
    if (left.length > 0) log(`left behind: ${left.join('; ')}`);
    if (!signal.aborted) log('the cluster is gone');
  }
}

interface Trial {
  cluster: TrialCluster;
  traffic: Traffic;
  watching: readonly Watching[];
  history: History;
  beats: BeatReader;
  played: Played[];
}

async function runEpisodes(options: RunOptions, trial: Trial): Promise<RunReport> {
  const { next, log, signal } = options;
  const findings: Finding[] = [];
  const convergedMs: number[] = [];
  const begun = await converged(trial, BEGIN_MS * busyTimes(), signal);
  if (begun !== undefined) findings.push(...findingOf('everything runs at the begin')(begun));
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
  if (!signal.aborted && findings.length === 0) findings.push(...(await restFaults(trial, signal)));
  const isComplete = await isHistoryComplete(trial, signal);
  if (!isComplete) log("etcd's history is not complete: not all rules could be applied");
  const record = recordOf(trial);
  const found = isComplete ? findings.concat(validate(record)) : findings;
  if (!isComplete && !signal.aborted && found.length === 0)
    throw new Error('etcd does not answer: its history cannot be read to the end');
  const starts = [...record.beats.values()].reduce((sum, beats) => sum + livesOf(beats).length, 0);
  return { findings: dedupe(found), record, episodes: number, convergedMs, starts };
}

/** What was unsafe is told at once: a cluster that may be broken need not converge. */
async function runEpisode(
  trial: Trial,
  episode: Episode,
  { log, signal }: RunOptions,
): Promise<{ findings: Finding[]; convergedMs: number }> {
  const { cluster, traffic, played } = trial;
  const begunMs = clock.monotonicMs();
  traffic.begin(episode.traffic);
  await playEpisode(cluster, episode, { log, played }, signal);
  const endedMs = clock.monotonicMs();
  const findings = findAlive(recordOf(trial));
  if (findings.length === 0) findings.push(...(await heal(trial, episode, signal)));
  const convergedMs = clock.monotonicMs() - endedMs;
  if (findings.length > 0 || signal.aborted) return { findings, convergedMs };
  log(`  converged ${(convergedMs / 1_000).toFixed(1)} s after the faults`);
  if (episode.isOutage) findings.push(...stoppedIn(trial, episode, begunMs));
  if (await isHistoryComplete(trial, signal)) findings.push(...findUnsafe(recordOf(trial)));
  return { findings, convergedMs };
}

async function heal(trial: Trial, { name }: Episode, signal: AbortSignal): Promise<Finding[]> {
  const finding = (text: string): Finding[] => findingOf('everything converges')(`${name}: ${text}`);
  const withinMs = CONVERGE_MS * busyTimes();
  try {
    await bringUp(trial.cluster, withinMs, signal);
    await trial.traffic.settle();
  } catch (error) {
    return finding(messageOf(error));
  }
  const missing = await converged(trial, withinMs, signal);
  return missing === undefined || signal.aborted ? [] : finding(missing);
}

/** `hostler up` waits for a minute by itself, which is not enough on a machine that is very busy. */
async function bringUp(cluster: TrialCluster, withinMs: number, signal: AbortSignal): Promise<void> {
  const untilMs = clock.monotonicMs() + withinMs;
  for (;;) {
    try {
      return await cluster.up();
    } catch (error) {
      if (signal.aborted || clock.monotonicMs() > untilMs) throw error;
    }
  }
}

function busyTimes(): number {
  const [load = 0] = loadavg();
  return Math.max(1, load / availableParallelism() / OWN_LOAD);
}

function converged(
  { cluster: { hosts }, traffic: { names }, watching, beats }: Trial,
  withinMs: number,
  signal: AbortSignal,
) {
  const [{ log }] = watching as [Watching];
  return untilConverged({ hosts, names, events: log.events, beats }, { withinMs, signal });
}

/** From its first fault on until now. */
function stoppedIn(trial: Trial, { name, faults }: Episode, fromMs: number): Finding[] {
  const hurtHosts = faults.flatMap(({ what, host }) =>
    host === undefined || isPlaneFault(what) ? [] : [host],
  );
  const outage = { name, fromMs, toMs: clock.monotonicMs(), hurtHosts };
  return findStopped(recordOf(trial).beats, outage, isRecovered);
}

/** Of a cluster that has converged and that nobody touches. */
async function restFaults({ cluster, history }: Trial, signal: AbortSignal): Promise<Finding[]> {
  await sleep(clock, QUIET_MS, signal);
  const from = history.events.length;
  await sleep(clock, QUIET_MS, signal);
  const unsaved = cluster.hosts.map(async (host) => {
    const state = await openDesiredStateFile(desiredStatePath(cluster.stateDir, host))
      .read()
      .catch(() => undefined);
    return findUnsaved(host, state, history.events);
  });
  return [...findWritesAtRest(history.events.slice(from)), ...(await Promise.all(unsaved)).flat()];
}

/** Whether it has all that the watches have seen, now or soon. */
async function isHistoryComplete({ watching, history }: Trial, signal: AbortSignal): Promise<boolean> {
  let revision = 0;
  for (const { log } of watching)
    for (const { revision: one, isListed } of log.events) {
      // The revision of a list is that of the whole store.
      if (isListed !== true) revision = Math.max(revision, one);
    }
  return await history.upTo(revision, HISTORY_MS, signal);
}

function recordOf({ beats, traffic, watching, history, played }: Trial): RunRecord {
  return {
    beats: new Map(traffic.names.map((name) => [name, beats.read(name)])),
    calls: traffic.calls,
    watches: watching.map(({ log }) => log),
    history: history.events,
    faults: played,
  };
}

function dedupe(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [`${finding.rule}: ${finding.text}`, finding])).values()];
}
