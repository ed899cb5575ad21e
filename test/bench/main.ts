/**
 * `npm run bench -- [names…] [--json FILE] [--kills COUNT]`: measures what docs/benchmarks.md says, on this machine, each
 * figure beside what it is compared with, in one run. Nothing here fails on a slow day: a goal that is missed is printed as missed.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { measureApi } from './api.ts';
import { createMany, createOne } from './create.ts';
import { drain } from './drain.ts';
import { DEFAULTS, failoverAt, failoverMany, QUICK } from './failover.ts';
import { type Figure, formatFigures } from './figure.ts';
import { leaderTakeover } from './leader.ts';
import { measureMigrations } from './migrate.ts';
import { type BenchCluster, startBenchCluster } from './local-cluster.ts';
import { renewals } from './renewals.ts';
import { replicas } from './replicas.ts';
import { atRest } from './rest.ts';
import { restartAfterKill } from './restart.ts';
import { benchWitnesses } from './witnesses.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, kills: { type: 'string', default: '20' } },
});

const onCluster: Record<string, (cluster: BenchCluster) => Promise<Figure[]>> = {
  'create-many': createMany,
  'create-one': createOne,
  restart: restartAfterKill,
  rest: atRest,
  drain,
  'failover-many': failoverMany,
  'failover-defaults': failoverAt(DEFAULTS, Number(values.kills)),
  'failover-quick': failoverAt(QUICK, Number(values.kills)),
};
const alone: Record<string, () => Promise<Figure[]>> = {
  api: measureApi,
  leader: leaderTakeover,
  migrate: measureMigrations,
  renewals,
  replicas,
  witnesses: benchWitnesses,
};

const GROUPS: Record<string, string[]> = {
  failover: ['failover-many', 'failover-defaults', 'failover-quick'],
};
const known = [...Object.keys(onCluster), ...Object.keys(alone)];
const asked = positionals.flatMap((name) => GROUPS[name] ?? [name]);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  const all = [...known, ...Object.keys(GROUPS)];
  process.stderr.write(`No such benchmark: ${unknown.join(', ')}. There are: ${all.join(', ')}\n`);
  process.exit(2);
}
// In the order above, however they were named: hosts that were lost again and again take nothing new for a while.
const chosen = known.filter((name) => asked.length === 0 || asked.includes(name));
const figures: Figure[] = [];

const run = async (name: string, measure: () => Promise<Figure[]>): Promise<void> => {
  process.stderr.write(`${name} …\n`);
  const found = await measure();
  figures.push(...found);
  process.stdout.write(`${formatFigures(found)}\n\n`);
};

for (const name of chosen) {
  const measure = alone[name];
  if (measure !== undefined) await run(name, measure);
}
if (chosen.some((name) => name in onCluster)) {
  process.stderr.write('starting a cluster of three hosts …\n');
  const cluster = await startBenchCluster();
  try {
    for (const name of chosen) {
      const measure = onCluster[name];
      if (measure !== undefined) await run(name, () => measure(cluster));
    }
  } finally {
    await cluster.down();
  }
}
process.stdout.write(`${formatFigures(figures)}\n`);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
