import { type Migration, migrationKind, type MigrationMode } from '../../../src/crds/migration.ts';
import { isOver } from '../../../src/plan/migration/ending.ts';
import type { Method } from '../../support/fake-daemon.ts';
import { type MigrationTrial, startMigrations, type TrialHost } from '../../support/migration-trial.ts';
import { createRandom, type Random } from './schedule.ts';

/**
 * One container is moved by real agents and controllers over daemons in memory, while agents, daemons, hosts and the leader are
 * killed at random moments, answers are lost and calls fail. It counts while it runs, into a file of its root.
 */
export interface Outcome {
  seed: number;
  /** Promises that were broken; empty: none. */
  broken: string[];
  phases: string[];
  /** On how many nodes it has run. */
  nodes: number;
}

const STEP_MS = 20;
const FAULT_MS = 12_000;
/** After the last fault: fences, leases that are asked for anew, passes that are made again. */
const HEAL_MS = 120_000;
const METHODS: readonly Method[] = [
  'startInstance',
  'stopInstance',
  'offerTransfer',
  'pullTransfer',
  'acceptTransfer',
  'dropTransfer',
  'updateInstance',
  'getInstance',
  'deleteInstance',
];
const FAULTS = [
  'agent',
  'agent',
  'daemon',
  'power',
  'leader',
  'reply',
  'reply',
  'call',
  'cancel',
  'write',
  'watch',
] as const;
const INSTANCE = 'web--default';
const { signal } = new AbortController();

interface Run {
  trial: MigrationTrial;
  random: Random;
  hosts: TrialHost[];
  broken: string[];
  lines: number;
  nodes: Set<string>;
  trace: ((line: string) => void) | undefined;
  /** The last line of the trace about the state. */
  seen: string;
  /** Events in the trace. */
  told: number;
  /** What is to be put right, and when. */
  repairs: { atMs: number; run: () => void }[];
}

/** @param trace gets what is broken, what is written and what runs, line by line */
export async function simulate(seed: number, trace?: (line: string) => void): Promise<Outcome> {
  const random = createRandom(seed);
  const trial = await startMigrations();
  const hosts = Object.values(trial.hosts);
  const run: Run = {
    trial,
    random,
    hosts,
    broken: [],
    lines: 0,
    nodes: new Set(),
    repairs: [],
    trace,
    seen: '',
    told: 0,
  };
  const phases: string[] = [];
  try {
    await begin(run);
    for (let round = 0; round < 2; round += 1) {
      const name = `m-${round}`;
      await migrate(run, name);
      await disturb(run, name);
      await heal(run, name);
      phases.push(trial.phase(name) ?? 'gone');
    }
  } finally {
    await trial.stop();
  }
  return { seed, broken: run.broken, phases, nodes: run.nodes.size };
}

async function begin({ trial, random, hosts }: Run): Promise<void> {
  for (const { host } of hosts) {
    const possible = { possible: true, message: '' } as const;
    host.transferFacts = { ...host.transferFacts, live: possible };
    host.passMs = random.pick([0, 40, 400, 2_000]);
    host.delayMs = random.pick([0, 5, 30]);
  }
  // What the hosts can do is told with their next report.
  await trial.run(21);
  const policy = random.pick(['Recover', 'Recreate', 'Stay'] as const);
  await trial.place('web', 'host-1', { failover: { policy }, migration: { policy: 'LiveIfPossible' } });
}

async function migrate({ trial, random }: Run, name: string): Promise<void> {
  const mode: MigrationMode = random.pick(['Cold', 'Live', 'LiveIfPossible']);
  const target = random.pick(['host-1', 'host-2', 'host-3', undefined]);
  const deadline = random.pick(['20s', '1m', '30m']);
  const spec = { mode, deadline, ...(target === undefined ? {} : { targetNode: target }) };
  // A reply may be lost that was meant for somebody else.
  await trial.create(name, spec).catch(async () => {
    if (trial.migration(name) === undefined) await trial.create(name, spec);
  });
}

/** A quarter of all schedules has no faults at all. */
async function disturb(run: Run, name: string): Promise<void> {
  const { random } = run;
  const isQuiet = random.chance(0.25);
  const perStep = random.pick([0.01, 0.03, 0.1]);
  for (let ms = 0; ms < FAULT_MS; ms += STEP_MS) {
    if (!isQuiet && random.chance(perStep)) await breakSomething(run, name);
    await step(run);
  }
}

async function heal(run: Run, name: string): Promise<void> {
  const { trial } = run;
  for (const { run: repair } of run.repairs.splice(0)) repair();
  for (let ms = 0; ms < HEAL_MS && !isSettled(run, name); ms += STEP_MS) await step(run);
  if (isSettled(run, name)) return;
  const { status, metadata } = trial.migration(name) ?? { metadata: undefined };
  run.broken.push(
    `not settled: ${JSON.stringify({ status, finalizers: metadata?.finalizers, container: trial.container('web').status })}; ${run.hosts.map((host) => `${host.name}: ${[...host.host.instances].map(([key, { status: state, incoming }]) => `${key} ${state} ${incoming?.migration ?? ''}`).join()}`).join('; ')}`,
  );
}

/** One copy is left, it runs where it is placed, and nobody has more to do. */
function isSettled({ trial, hosts }: Run, name: string): boolean {
  const migration = trial.migration(name);
  const isDone =
    migration === undefined ||
    (isOver(migration.status ?? {}) && (migration.metadata.finalizers ?? []).length === 0);
  const { nodeName, phase, migration: claim } = trial.container('web').status ?? {};
  const holders = hosts.filter((host) => host.instances().includes(INSTANCE)).map((host) => host.name);
  return isDone && claim === undefined && phase === 'Running' && holders.join() === nodeName;
}

async function breakSomething(run: Run, name: string): Promise<void> {
  const { random, trial, hosts } = run;
  const host = random.pick(hosts);
  const forMs = random.pick([50, 500, 3_000, 12_000]);
  const what = random.pick(FAULTS);
  run.trace?.(`! ${what} ${host.name} ${forMs}`);
  switch (what) {
    case 'agent':
      if (!host.isUp() || host.host.isDown()) return;
      host.kill();
      return later(run, forMs, () => host.start());
    case 'daemon':
      if (host.host.isDown()) return;
      host.host.setDown(true);
      return later(run, forMs, () => host.host.setDown(false));
    case 'power':
      if (!host.isUp() || host.host.isDown()) return;
      host.powerOff();
      return later(run, forMs, () => host.powerOn());
    case 'leader':
      return await trial.changeLeader();
    case 'reply':
      return host.host.loseReply(random.pick(METHODS));
    case 'write':
      return trial.store.faults.loseReply({
        verb: random.pick(['updateStatus', 'patch', 'create'] as const),
      });
    case 'watch':
      return later(run, random.pick([50, 400, 2_000]), trial.store.faults.stallWatches());
    case 'call':
      return host.failOnce(random.pick(METHODS));
    default:
      if (random.chance(0.9) || trial.migration(name) === undefined) return;
      await trial.store
        .delete(migrationKind, { namespace: 'default', name }, {}, signal)
        .catch(() => undefined);
  }
}

/** Its host was lost and fenced, and its policy is to make it anew: it begins from the beginning. */
function wasRecreated(trial: MigrationTrial): boolean {
  const isMeant = trial.container('web').spec.failover?.policy === 'Recreate';
  return isMeant && trial.events.some((event) => event.startsWith('Normal Moved default/web:'));
}

/** The target was lost right after the start, and fenced: what was written there is lost with it. */
function wasReturned(trial: MigrationTrial): boolean {
  const isMeant = trial.container('web').spec.failover?.policy === 'Recreate';
  return isMeant && trial.events.some((event) => event.startsWith('Warning MigrationReturned default/web:'));
}

function traceState(run: Run): void {
  const { trial, hosts } = run;
  const migration = trial.store.all<Migration>(migrationKind).at(-1)?.status;
  const { nodeName, epoch, term, phase, migration: claim, failover } = trial.container('web').status ?? {};
  const { phase: of, mode, pass, final, sourceReport, targetReport } = migration ?? {};
  const line = JSON.stringify({
    web: [nodeName, epoch, term, phase, claim?.stage, failover],
    migration: [of, mode, pass, final, sourceReport, targetReport],
    hosts: hosts.map((one) => [
      `${one.name}${one.isUp() ? '' : ' no agent'}${one.host.isDown() ? ' no daemon' : ''}`,
      ...[...one.host.instances.values()].map(({ status, incoming, files }) =>
        [status, incoming?.migration ?? '', files?.['log'] === undefined ? 'empty' : ''].join(),
      ),
    ]),
  });
  if (line !== run.seen) run.trace?.(`${trial.clock.monotonicMs()} ${line}`);
  run.seen = line;
  for (const event of trial.events.slice(run.told)) run.trace?.(`  ${event}`);
  run.told = trial.events.length;
}

function later({ trial, repairs }: Run, ms: number, repair: () => void): void {
  repairs.push({ atMs: trial.clock.monotonicMs() + ms, run: repair });
}

async function step(run: Run): Promise<void> {
  const { trial, repairs, hosts, broken } = run;
  const nowMs = trial.clock.monotonicMs();
  const due = repairs.filter(({ atMs }) => atMs <= nowMs);
  run.repairs = repairs.filter(({ atMs }) => atMs > nowMs);
  for (const { run: repair } of due) repair();
  await trial.clock.advance(STEP_MS);
  if (run.trace !== undefined) traceState(run);
  const running = hosts.filter((host) => host.running().includes(INSTANCE));
  if (running.length > 1) broken.push(`runs on ${running.map((host) => host.name).join(' and ')}`);
  const [only] = running;
  if (only === undefined || running.length > 1) return;
  run.nodes.add(only.name);
  const instance = only.host.instances.get(INSTANCE);
  const log = instance?.files?.['log'] ?? '';
  if (log.length === 0 && wasRecreated(trial)) run.lines = 0;
  if (log.length < run.lines && wasReturned(trial)) run.lines = log.length;
  if (log.length !== run.lines) run.trace?.(`BROKEN ${log.length} of ${run.lines}`);
  if (log.length !== run.lines) broken.push(`has ${log.length} of ${run.lines} lines on ${only.name}`);
  if (instance !== undefined) instance.files = { ...instance.files, log: `${log}.` };
  run.lines = log.length + 1;
}
