import { createAuthority } from '../../src/apiserver/pki/certificates.ts';
import { issueClientCertificate, nodeIdentity } from '../../src/apiserver/pki/cluster-pki.ts';
import type { PeerIdentity } from '../../src/peers/identity.ts';
import { createPeers } from '../../src/peers/witness-client.ts';
import { serveWitness, type WitnessServer } from '../../src/peers/witness-server.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { silentLogger as logger } from '../../src/ports/logger.ts';
import type { Peer, Peers } from '../../src/ports/peers.ts';
import { type Figure, figure } from './figure.ts';

/**
 * What it costs that in an outage all agents ask all others: the agents' very client and server, all of them in this one
 * process. Some nodes ask, each all others. Both sides of a question are in the CPU time, so that it is a node's own: it asks as
 * many as ask it.
 */
const NODES = 100;
/** Each has a connection to all others: a process may have some thousands open. */
const ASKERS = 10;
const ROUNDS = 20;

interface Node {
  name: string;
  server: WitnessServer;
  peers: Peers;
}

export async function benchWitnesses(): Promise<Figure[]> {
  const nodes = await startNodes();
  try {
    const all: Peer[] = nodes.map(({ name, server }) => ({
      node: name,
      address: '127.0.0.1',
      port: server.port,
    }));
    const askers = nodes.slice(0, ASKERS);
    const first = await round(askers, all);
    let cpuMs = 0;
    for (let index = 0; index < ROUNDS; index++) cpuMs += await round(askers, all);
    const each = cpuMs / ROUNDS / ASKERS;
    return [
      figure(
        `witnesses: first question of ${NODES} nodes to each other, with TLS: CPU per node`,
        first / ASKERS,
        'ms',
      ),
      figure(
        `witnesses: each further one, ${NODES - 1} questions asked and answered: CPU per node`,
        each,
        'ms',
      ),
    ];
  } finally {
    for (const { peers } of nodes) peers.close();
    await Promise.all(nodes.map(({ server }) => server.close()));
  }
}

async function startNodes(): Promise<Node[]> {
  const ca = await createAuthority('bench', clock);
  const nodes: Node[] = [];
  for (let index = 0; index < NODES; index++) {
    const name = `host-${index}`;
    const pair = await issueClientCertificate({ ca, ...nodeIdentity(name), clock, isServerToo: true });
    const identity: PeerIdentity = {
      ca: Buffer.from(ca.certificatePem),
      cert: Buffer.from(pair.certificatePem),
      key: Buffer.from(pair.keyPem),
    };
    const server = await serveWitness({ host: '127.0.0.1', port: 0 }, identity, {
      cutOffForMs: () => 1,
      logger,
    });
    nodes.push({ name, server, peers: createPeers(() => identity) });
  }
  return nodes;
}

/** @returns CPU milliseconds of all that ask, and of what they ask, together */
async function round(nodes: readonly Node[], all: readonly Peer[]): Promise<number> {
  const { signal } = new AbortController();
  const before = process.cpuUsage();
  for (const { name, peers } of nodes) {
    await Promise.all(all.filter(({ node }) => node !== name).map((peer) => peers.ask(peer, signal)));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
