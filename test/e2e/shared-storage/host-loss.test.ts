import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { localPaths } from '../../../src/config/local.ts';
import { stopCompartment } from '../../../src/cmd/local/compartment.ts';
import { run } from '../../../src/cmd/local/process.ts';
import { createLocalState } from '../../support/local-state.ts';
import { freePort } from '../../support/free-port.ts';

const EXAMPLE = 'examples/07-shared-storage';
const FILES = { ledger: '/kept', shop: '/srv/data/kept' } as const;
type Name = keyof typeof FILES;
const NAMES: readonly Name[] = ['ledger', 'shop'];

describe('the loss of a host whose containers have their data on shared storage', () => {
  const state = createLocalState();
  const { stateDir } = state;
  const inState = ['--state-dir', stateDir];
  let up: string[] = [];
  let places: Record<Name, string>;

  const hostler = async (...argv: string[]): Promise<string> =>
    (await run(['bin/hostler', ...argv], { timeoutMs: 120_000 })).stdout;
  const kubectl = async (...argv: string[]): Promise<string> =>
    (await run(['kubectl', '--kubeconfig', localPaths(stateDir).kubeconfig, ...argv], { timeoutMs: 90_000 }))
      .stdout;
  const inside = (host: string, name: Name, script: string): Promise<string> =>
    hostler('exec', ...inState, host, '--', 'incus', 'exec', `${name}--default`, '--', 'sh', '-c', script);
  /** Incus may lose the output of what ends at once, when the machine is busy: an empty answer is no answer. */
  const kept = async (host: string, name: Name): Promise<string> => {
    const signal = AbortSignal.timeout(30_000);
    for (;;) {
      const text = await inside(host, name, `cat ${FILES[name]}`);
      if (text !== '' || signal.aborted) return text;
      await delay(250);
    }
  };
  const instancesOn = (host: string): Promise<string> =>
    hostler('exec', ...inState, host, '--', 'incus', 'list', '--format=csv', '--columns=n');

  /** Until all run, none of them on `lost`. */
  async function placesWithout(lost: string): Promise<Record<Name, string>> {
    const template =
      'jsonpath={range .items[*]}{.metadata.name} {.status.nodeName} {.status.phase}{"\\n"}{end}';
    const signal = AbortSignal.timeout(60_000);
    for (;;) {
      const rows = (await kubectl('get', 'containers', '-o', template)).trim().split('\n');
      const seen = rows.map((row) => row.split(' '));
      if (seen.every(([, node, phase]) => node !== lost && phase === 'Running')) {
        return Object.fromEntries(seen.map(([name, node]) => [name, node])) as Record<Name, string>;
      }
      if (signal.aborted) throw new Error(`not within 60 s: ${rows.join(', ')}`);
      await delay(250);
    }
  }

  beforeAll(async () => {
    up = ['up', '--hosts', '3', '--port', String(await freePort()), ...inState];
    await hostler(...up);
    await kubectl('apply', '-f', EXAMPLE);
    await kubectl('wait', '--for=condition=Ready', 'storagepool/shared', '--timeout=30s');
    places = await placesWithout('');
    for (const name of NAMES) await inside(places[name], name, `echo ${name} >${FILES[name]}`);
  }, 150_000);

  afterAll(async () => {
    expect(await state.remove()).toEqual([]);
  }, 60_000);

  it('costs them no data: they go on elsewhere', async () => {
    const lost = places.ledger;
    await stopCompartment(stateDir, lost);
    places = await placesWithout(lost);
    for (const name of NAMES) {
      expect(await kept(places[name], name)).toBe(`${name}\n`);
    }
    await hostler(...up);
    const signal = AbortSignal.timeout(30_000);
    while ((await instancesOn(lost)).includes('--default')) {
      if (signal.aborted) throw new Error(`${lost} still has what has moved away`);
      await delay(250);
    }
    for (const name of NAMES) {
      expect(await kept(places[name], name)).toBe(`${name}\n`);
    }
  }, 180_000);

  it('and their deletion leaves it, as reclaimPolicy Retain says', async () => {
    await kubectl('delete', 'container', ...NAMES, '--timeout=60s');
    await kubectl('delete', 'storagepool', 'shared', '--timeout=30s');
    const { shared } = localPaths(stateDir);
    expect(await readdir(join(shared, 'volumes', 'default_shop_data'))).toEqual(['kept']);
    expect(await readdir(join(shared, 'roots'))).toEqual([expect.stringMatching(/^default_ledger_/)]);
  }, 90_000);
});
