import { CLUSTER_RANGE, SWITCH_ADDRESS } from '../../config/local.ts';
import { type Compartment, openCompartment, stopCompartment } from './compartment.ts';
import { run } from './process.ts';

/**
 * The link between the hosts of a local cluster: a bridge in a compartment of its own, which also routes between the
 * subnets of the hosts' containers. It has no connection to the machine's own network, and no compartment has a default
 * route, so that nothing in a cluster can send anything out of the machine.
 */
export interface LocalNetwork {
  /**
   * Connects a compartment, with a route to everything in the cluster; `subnet` is routed to it. Idempotent; a link that
   * was cut is connected again.
   */
  attach(compartment: Compartment, addresses: { address: string; subnet?: string }): Promise<void>;
  /** Pulls the plug of the compartment `name`, or puts it back. */
  setLink(name: string, up: boolean): Promise<void>;
  isLinkUp(name: string): Promise<boolean>;
}

export const SWITCH = 'switch';

/** The cluster's link, made now or found. */
export async function openNetwork(stateDir: string): Promise<LocalNetwork> {
  const compartment = await openCompartment(stateDir, SWITCH);
  await compartment.exec([
    'sh',
    '-euc',
    `[ -e /sys/class/net/br0 ] || ip link add br0 type bridge forward_delay 0
     ip addr replace ${SWITCH_ADDRESS}/24 dev br0
     ip link set br0 up`,
  ]);
  return networkOf(compartment);
}

export function stopNetwork(stateDir: string): Promise<void> {
  return stopCompartment(stateDir, SWITCH);
}

export function networkOf(bridge: Compartment): LocalNetwork {
  return {
    attach: (compartment, addresses) => attach(bridge, compartment, addresses),
    setLink: async (name, up) => {
      await bridge.exec(['ip', 'link', 'set', name, up ? 'up' : 'down']);
    },
    isLinkUp: async (name) => {
      const { stdout } = await bridge.exec(['ip', '-o', 'link', 'show', name], { allowFailure: true });
      return /<[^>]*\bUP\b/.test(stdout);
    },
  };
}

async function attach(
  bridge: Compartment,
  compartment: Compartment,
  { address, subnet }: { address: string; subnet?: string },
): Promise<void> {
  const { name } = compartment;
  const existing = await compartment.exec(['ip', 'link', 'show', 'eth0'], { allowFailure: true });
  if (existing.code !== 0) {
    // The end of an ended compartment's link goes when the kernel gets round to it, which may be after its next start.
    await bridge.exec(['ip', 'link', 'delete', name], { allowFailure: true });
    // One command makes both ends in their namespaces: a crash in between leaves nothing half-connected.
    const link = ['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0'];
    await run([
      'nsenter',
      '-t',
      String(bridge.initPid),
      '-n',
      '--',
      ...link,
      'netns',
      String(compartment.initPid),
    ]);
  }
  await bridge.exec(['ip', 'link', 'set', name, 'master', 'br0', 'up']);
  await compartment.exec([
    'sh',
    '-euc',
    `ip addr replace ${address}/24 dev eth0
     ip link set eth0 up
     ip route replace ${CLUSTER_RANGE} via ${SWITCH_ADDRESS}`,
  ]);
  if (subnet !== undefined) await bridge.exec(['ip', 'route', 'replace', subnet, 'via', address]);
}
