import { findCompartment } from '../../src/cmd/local/compartment.ts';
import type { LocalHost } from '../../src/cmd/local/host.ts';
import { SWITCH } from '../../src/cmd/local/network.ts';
import { run } from '../../src/cmd/local/process.ts';
import { daemonRequest } from '../../src/cmd/local/daemon.ts';

/** The network of the daemons that all hosts of a local cluster share: a container keeps its address on it wherever it moves. */
export const LAN = 'lan';

/** Bridges of the hosts that are one, through the link between the hosts (10.88.0.0/24). */
export async function openLan(
  stateDir: string,
  hosts: readonly Pick<LocalHost, 'name' | 'compartment' | 'socketPath'>[],
): Promise<void> {
  const bridge = findCompartment(stateDir, SWITCH);
  if (bridge === undefined) throw new Error('the network between the hosts is not open');
  for (const { name, compartment, socketPath } of hosts) {
    const near = `${name}-lan`;
    const link = ['ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth1'];
    const inSwitch = ['nsenter', '-t', String(bridge.initPid), '-n', '--'];
    await run([...inSwitch, ...link, 'netns', String(compartment.initPid)]);
    await bridge.exec(['ip', 'link', 'set', near, 'master', 'br0', 'up']);
    await compartment.exec(['ip', 'link', 'set', 'eth1', 'up']);
    const config = { 'bridge.external_interfaces': 'eth1', 'ipv4.address': 'none', 'ipv6.address': 'none' };
    await daemonRequest(socketPath, 'POST', '/1.0/networks', { name: LAN, type: 'bridge', config });
  }
}
