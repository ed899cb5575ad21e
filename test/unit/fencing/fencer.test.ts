import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFencer } from '../../../src/fencing/fencer.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { REDFISH_USER, type RedfishStub, startRedfish } from '../../support/redfish-stub.ts';

const { signal } = new AbortController();
let dir: string;
let bmc: RedfishStub;
let secret: Record<string, string> | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fencing-'));
  bmc = await startRedfish();
  secret = { ...REDFISH_USER, 'ca.crt': bmc.caPem };
});
afterEach(async () => {
  await bmc.stop();
  await rm(dir, { recursive: true });
});

const fencer = createFencer({ clock: systemClock, readSecret: () => Promise.resolve(secret) });
const exec = (script: string, timeout = '5s') =>
  fencer.fence('host-2', { exec: { command: ['/bin/sh', '-c', script], timeout } }, signal);
const redfish = (timeout = '5s') =>
  fencer.fence('host-2', { redfish: { url: bmc.url, secretName: 'bmc', timeout } }, signal);

describe('fencing by a command', () => {
  it('has confirmed when the command ends with 0, which knows the node and nothing of our environment', async () => {
    await exec(`echo "$HOSTLER_NODE:$HOME" > ${dir}/out`);
    expect(await readFile(join(dir, 'out'), 'utf8')).toBe('host-2:\n');
  });

  it('has not when it ends with another code, and says what the command said', async () => {
    await expect(exec('echo no such outlet >&2; exit 3')).rejects.toMatchObject({
      code: 'Internal',
      message: '/bin/sh ended with 3: no such outlet',
    });
  });

  it('has not when there is no such command', async () => {
    const gone = fencer.fence('host-2', { exec: { command: ['/does/not/exist'] } }, signal);
    await expect(gone).rejects.toMatchObject({
      code: 'Invalid',
      message: expect.stringContaining('/does/not/exist'),
    });
  });

  it('kills a command that takes too long, with all that it started', async () => {
    await expect(exec(`sleep 60 & echo $! > ${dir}/pid; wait`, '250ms')).rejects.toMatchObject({
      code: 'Timeout',
      message: 'Fencing host-2 took longer than 250 ms',
    });
    const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
    expect(state).toMatch(/^gone$|\) [ZX] /);
  });
});

describe('fencing by Redfish', () => {
  it.each(['off', 'slow'] as const)('has confirmed once the power is off (%s)', async (how) => {
    bmc.onReset = how;
    await redfish();
    expect(bmc.resets).toEqual([{ ResetType: 'ForceOff' }]);
    expect(bmc.power).toBe('Off');
  });

  it('has confirmed when the reset is refused because the host is off already', async () => {
    Object.assign(bmc, { onReset: 'refuse', power: 'Off' });
    await expect(redfish()).resolves.toBeUndefined();
  });

  it.each([
    [
      'the reset is refused and the host is on',
      { onReset: 'refuse' },
      'Unavailable',
      /does not switch the host off \(409\); its power is On$/,
    ],
    ['the power stays on', { onReset: 'never' }, 'Timeout', /^Fencing host-2 took longer than 700 ms$/],
    ['there is no answer', { onReset: 'hang' }, 'Timeout', /^Fencing host-2 took longer than 700 ms$/],
  ])('has not when %s', async (_, stub, code, message) => {
    Object.assign(bmc, stub);
    await expect(redfish('700ms')).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each([
    [
      'wrong credentials',
      () => ({ ...secret, password: 'x' }),
      'Forbidden',
      /refuses the credentials \(401\)$/,
    ],
    ['no Secret', () => undefined, 'Invalid', /^There is no Secret hostler-nodes\/bmc/],
    ['half a Secret', () => ({ username: 'x' }), 'Invalid', /^username and password must be in the Secret/],
    ['a certificate of somebody else', () => ({ ...REDFISH_USER }), 'Unavailable', /does not answer/],
  ])('has not with %s', async (_, other, code, message) => {
    secret = other();
    await expect(redfish()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(bmc.power).toBe('On');
  });
});
