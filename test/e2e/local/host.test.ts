import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { IMAGES_DIR, localPaths } from '../../../src/config/local.ts';
import { daemonRequest } from '../../../src/cmd/local/daemon.ts';
import { type LocalHost, startHost } from '../../../src/cmd/local/host.ts';
import { type LocalNetwork, openNetwork } from '../../../src/cmd/local/network.ts';
import { childrenOf, isRunning, run } from '../../../src/cmd/local/process.ts';
import { compartmentNames, findLeaks } from '../../../src/cmd/local/teardown.ts';
import { createLocalState } from '../../support/local-state.ts';
import { until } from '../../support/waiting.ts';

const state = createLocalState();
const { stateDir } = state;
let network: LocalNetwork;
let first: LocalHost;
let second: LocalHost;

beforeAll(async () => {
  await run(['scripts/busybox-image', localPaths(stateDir).image]);
  network = await openNetwork(stateDir);
  [first, second] = await Promise.all([start('host-1'), start('host-2')]);
}, 60_000);

afterAll(async () => {
  expect(await state.remove()).toEqual([]);
  expect(existsSync(stateDir)).toBe(false);
}, 60_000);

const start = (name: string): Promise<LocalHost> => startHost({ name, stateDir, network, runtime: 'incus' });

async function pings(host: LocalHost, address: string): Promise<boolean> {
  const result = await host.exec(['busybox', 'ping', '-c1', '-W1', address], { allowFailure: true });
  return result.code === 0;
}

describe('local hosts', () => {
  it('are found running when they are started again', async () => {
    const again = await start('host-1');
    expect(again.daemonPid).toBe(first.daemonPid);
    expect(again.compartment.initPid).toBe(first.compartment.initPid);
  });

  it('are machines of their own: name, processes, network and images', async () => {
    const script = `hostname; ls ${IMAGES_DIR}; ip route; ls /sys/class/net`;
    const { stdout } = await first.exec(['sh', '-c', script]);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2)).toEqual(['host-1', 'busybox.tar.gz']);
    expect(stdout).toContain('eth0');
    // No default route: nothing leaves the machine.
    expect(stdout).not.toContain('default via');
    expect((await first.exec(['cat', '/proc/1/comm'])).stdout.trim()).toBe('sleep');
  });

  it('reach each other and the networks of the others, until their link is cut', async () => {
    expect(await pings(first, second.address)).toBe(true);
    expect(await pings(first, '10.88.2.1')).toBe(true);
    await second.setLink(false);
    expect(await network.isLinkUp('host-2')).toBe(false);
    expect(await pings(first, second.address)).toBe(false);
    await second.setLink(true);
    expect(await pings(first, second.address)).toBe(true);
  });

  it('give containers addresses, and keep them running without the daemon', async () => {
    await first.exec(['incus', 'image', 'import', `${IMAGES_DIR}/busybox.tar.gz`, '--alias', 'busybox']);
    await first.exec(['incus', 'storage', 'create', 'default', 'dir']);
    const launch = ['incus', 'launch', 'busybox', 'c1', '-s', 'default', '-n', 'incusbr0'];
    await first.exec([...launch, '-c', 'limits.memory=64MiB', '-c', 'boot.autostart=false']);
    const address = await untilDefined(() => addressOf('c1'));
    expect(address).toMatch(/^10\.88\.1\.\d+$/);
    expect(await pings(second, address)).toBe(true);

    const before = await pidOf('c1');
    expect(await first.killDaemon('SIGKILL')).toBe(true);
    expect(first.daemonPid).toBeUndefined();
    await first.startDaemon();
    expect(await pidOf('c1')).toBe(before);
  }, 60_000);

  it('leave no dead processes unreaped', async () => {
    await first.exec(['sh', '-c', 'setsid --fork true']);
    const children = childrenOf(first.compartment.initPid);
    expect(children.length).toBeGreaterThan(0);
    const { stdout } = await first.exec(['sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null']);
    expect(stdout.split('\n').filter((line) => / Z /.test(line))).toEqual([]);
  });

  it('end with what is frozen in them, which does nothing more before its end', async () => {
    // As criu does it: in a group below the container's, again and again until criu itself has ended.
    const { stdout } = await first.exec(['sh', '-c', FREEZER]);
    const group = stdout.trim();
    const file = `${IMAGES_DIR}/frozen`;
    const logFile = `${stateDir}/logs/frozen.log`;
    const sized = async (): Promise<number> => Number((await first.exec(['stat', '-c%s', file])).stdout);
    await first.exec(['mkdir', group]);
    await first.exec(['touch', file]);
    const writer = `echo 0 >${group}/cgroup.procs; while :; do echo >>${file}; done`;
    await first.spawn('writer', ['sh', '-c', writer], { logFile });
    // What is frozen before it has begun to write shows nothing.
    await until('the writer writes', async () => (await sized()) > 0);
    await first.spawn('freezer', ['sh', '-c', FREEZE, 'freeze', group], { logFile });
    const before = await untilSame(sized);
    await first.stop();
    first = await start('host-1');
    expect(await sized()).toBe(before);
    await first.exec(['rm', file]);
  }, 60_000);

  it('end with everything in them, and start again with what is on their disks', async () => {
    const { daemonPid, compartment } = first;
    const identities = [daemonPid, compartment.initPid].map((pid) => ({ pid: pid ?? 0, startTicks: 0 }));
    await first.stop();
    expect(identities.filter(isRunning)).toEqual([]);
    expect(findLeaks(stateDir).filter((leak) => leak.includes('/host-1'))).toEqual([]);
    first = await start('host-1');
    const instance = (await daemonRequest(first.socketPath, 'GET', '/1.0/instances/c1')) as {
      status: string;
    };
    expect(instance.status).toBe('Stopped');
    expect(compartmentNames(stateDir).sort()).toEqual(['host-1', 'host-2', 'switch']);
  }, 60_000);
});

/** Prints the path of a new group below the host's own. */
const FREEZER = `
path=$(sed -n 's/^[0-9]*:freezer://p' /proc/1/cgroup)
if [ -n "$path" ]; then echo "/sys/fs/cgroup/freezer$path/frozen"
else echo "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/1/cgroup | sed 's,/init.scope$,,')/frozen"; fi`;
const FREEZE = `
cd "$1"
while :; do
  if [ -e freezer.state ]; then echo FROZEN >freezer.state; else echo 1 >cgroup.freeze; fi
done`;

/** What two looks, one after the other, have found. */
async function untilSame(look: () => Promise<number>): Promise<number> {
  for (let before = await look(); ;) {
    const now = await look();
    if (now === before && now > 0) return now;
    before = now;
  }
}

async function addressOf(name: string): Promise<string | undefined> {
  const { stdout } = await first.exec(['incus', 'list', name, '-c4', '--format=csv']);
  return stdout.trim().split(' ')[0] || undefined;
}

async function pidOf(name: string): Promise<number> {
  const found = (await daemonRequest(first.socketPath, 'GET', `/1.0/instances/${name}/state`)) as {
    pid: number;
  };
  return found.pid;
}

/** Asks a real daemon again until it has an answer; jest's own time-out ends it. */
async function untilDefined<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
}
