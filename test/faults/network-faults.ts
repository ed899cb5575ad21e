import { API_PORT, CONTROL_PLANE_ADDRESS, hostAddresses, SWITCH_ADDRESS } from '../../src/config/local.ts';
import type { Compartment } from '../../src/cmd/local/compartment.ts';
import { SWITCH } from '../../src/cmd/local/network.ts';
import { isRunning, signalProcess } from '../../src/cmd/local/process.ts';
import { logOf } from '../../src/cmd/local/parts.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { TrialCluster } from './cluster.ts';
import { type Injected, NOTHING, ofHost } from './injected.ts';
import type { Fault } from './schedule.ts';

const TABLE = 'hostler_faults';
const PEER_PORT = 9465;
/** In the switch; each host's own range of ports begins at a hundred times its number above it. */
const PROXY_PORT = 20_000;
const LISTEN_MS = 10_000;

/** Rules of nftables that drop what comes in, or goes out, of a host or of the control plane. */
export async function dropPackets(cluster: TrialCluster, fault: Fault): Promise<Injected> {
  const compartment = cluster.compartment(fault.host);
  if (compartment === undefined)
    return { says: `${fault.what}${ofHost(fault)}: it does not run`, undo: NOTHING };
  const table = `${TABLE}_${fault.what.replaceAll('-', '_')}`;
  await nft(compartment, `table inet ${table} {\n${chainsOf(fault.what)}}\n`);
  return {
    says: `${fault.what}${ofHost(fault)}`,
    undo: () => nft(compartment, `delete table inet ${table}\n`),
  };
}

/** One way: what the other end has sent already is answered by nobody, and the connections stay half-open. */
function chainsOf(what: Fault['what']): string {
  const chain = (hook: 'input' | 'output', rule: string): string =>
    ` chain ${hook} {\n type filter hook ${hook} priority -300;\n ${rule} drop\n }\n`;
  switch (what) {
    case 'drop-in':
    case 'drop-plane-in':
      return chain('input', 'iifname "eth0"');
    case 'drop-out':
    case 'drop-plane-out':
      return chain('output', 'oifname "eth0"');
    case 'lose-packets':
      return chain('input', 'iifname "eth0" numgen random mod 100 < 40');
    case 'cut-api':
      // The other hosts are still there.
      return `${chain('input', `ip saddr ${CONTROL_PLANE_ADDRESS}`)}${chain('output', `ip daddr ${CONTROL_PLANE_ADDRESS}`)}`;
    default:
      throw new Error(`${what} drops no packets`);
  }
}

/**
 * All connections that the host's agent opens, to the API and to the other agents, lead through a proxy in the switch that
 * keeps every byte for a while; those that are there already are reset, when it begins and when it ends.
 */
export async function slowLink(cluster: TrialCluster, fault: Fault): Promise<Injected> {
  const { host = '', delay = { toServerMs: 0, toClientMs: 0 } } = fault;
  const compartment = cluster.compartment(host);
  const bridge = cluster.compartment(SWITCH);
  if (compartment === undefined || bridge === undefined)
    return { says: `slow-link of ${host}: it does not run`, undo: NOTHING };
  const targets = targetsOf(cluster.hosts, host);
  const proxy = await startProxy(cluster, bridge, { host, delay, targets });
  const table = `${TABLE}_slow_link`;
  const rules = targets.map(
    ({ address, port, proxyPort }) =>
      ` ip daddr ${address} tcp dport ${port} dnat to ${SWITCH_ADDRESS}:${proxyPort}\n`,
  );
  await nft(
    compartment,
    `table ip ${table} {\n chain output {\n type nat hook output priority -100;\n${rules.join('')} }\n}\n`,
  );
  await resetConnections(compartment, targets);
  return {
    says: `slow-link of ${host}: ${delay.toServerMs} ms up, ${delay.toClientMs} ms down`,
    async undo() {
      await nft(compartment, `delete table ip ${table}\n`);
      // Its end resets what leads through it.
      if (isRunning(proxy)) signalProcess(proxy, 'SIGKILL');
    },
  };
}

interface Target {
  address: string;
  port: number;
  proxyPort: number;
}

function targetsOf(hosts: readonly string[], host: string): Target[] {
  const first = PROXY_PORT + 100 * (hosts.indexOf(host) + 1);
  const peers = hosts.filter((other) => other !== host);
  return [
    { address: CONTROL_PLANE_ADDRESS, port: API_PORT, proxyPort: first },
    ...peers.map((peer) => ({
      address: hostAddresses(hosts.indexOf(peer) + 1).address,
      port: PEER_PORT,
      proxyPort: first + hosts.indexOf(peer) + 1,
    })),
  ];
}

async function startProxy(
  cluster: TrialCluster,
  bridge: Compartment,
  { host, delay, targets }: { host: string; delay: NonNullable<Fault['delay']>; targets: readonly Target[] },
) {
  const program = new URL('delaying-proxy.ts', import.meta.url).pathname;
  const pairs = targets.map(
    ({ address, port, proxyPort }) => `${SWITCH_ADDRESS}:${proxyPort}=${address}:${port}`,
  );
  const delays = [String(delay.toServerMs), String(delay.toClientMs)];
  const argv = [process.execPath, '--no-warnings', program, ...delays, ...pairs];
  const logFile = logOf(cluster.stateDir, `slow-link-${host}`);
  const proxy = await bridge.spawn(`slow-link-${host}`, argv, { logFile });
  const untilMs = clock.monotonicMs() + LISTEN_MS;
  const wanted = targets.map(({ proxyPort }) => `${SWITCH_ADDRESS}:${proxyPort}`);
  for (;;) {
    const { stdout } = await bridge.exec(['ss', '-Htln']);
    if (wanted.every((address) => stdout.includes(address))) return proxy;
    if (clock.monotonicMs() > untilMs) throw new Error(`The proxy does not listen; see ${logFile}`);
    await sleep(clock, 50, new AbortController().signal);
  }
}

async function resetConnections(compartment: Compartment, targets: readonly Target[]): Promise<void> {
  for (const { address, port } of targets)
    await compartment.exec(['ss', '-K', 'dst', address, 'dport', '=', `:${port}`], { allowFailure: true });
}

/** A host that was lost in between has no tables any more. */
async function nft(compartment: Compartment, script: string): Promise<void> {
  if (cannotEnter(compartment)) return;
  await compartment.exec(['nft', '-f', '-'], { input: script, allowFailure: script.startsWith('delete') });
}

function cannotEnter({ initPid }: Compartment): boolean {
  try {
    process.kill(initPid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
