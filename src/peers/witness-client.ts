import { Agent, request } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import { HostlerError } from '../ports/errors.ts';
import type { Peer, Peers } from '../ports/peers.ts';
import { NODE_USER_PREFIX, type PeerIdentity, WITNESS_PATH } from './identity.ts';

const LONGEST_ANSWER = 1_000;
/** To one peer: a question is given up after half a second, and the next one is asked a quarter of a second after it. */
const OPEN_QUESTIONS = 2;

/** Asks other agents over HTTPS, as who `identityNow` says. An answer counts only from the very node that was asked, by the name in its certificate. */
export function createPeers(identityNow: () => PeerIdentity): Peers {
  const agents = new Map<string, { identity: PeerIdentity; agent: Agent }>();

  /** One for each peer: a connection belongs to the name that was checked on it. */
  const agentOf = ({ node, address, port }: Peer): Agent => {
    const key = `${node} ${address}:${port}`;
    const identity = identityNow();
    const found = agents.get(key);
    if (found?.identity === identity) return found.agent;
    found?.agent.destroy();
    const agent = new Agent({ ...identity, keepAlive: true, maxSockets: OPEN_QUESTIONS, timeout: 20_000 });
    agents.set(key, { identity, agent });
    return agent;
  };

  /** A connection that gave no answer may be dead: the next question gets a new one. What was asked over newer ones goes on. */
  const reset = (peer: Peer, agent: Agent): void => {
    const key = `${peer.node} ${peer.address}:${peer.port}`;
    agent.destroy();
    if (agents.get(key)?.agent === agent) agents.delete(key);
  };

  return {
    ask: (peer, signal) =>
      new Promise((resolve, reject) => {
        const agent = agentOf(peer);
        const fail = (cause: unknown): void => {
          reset(peer, agent);
          const reason: unknown = signal.reason;
          const isOurs = signal.aborted && reason instanceof HostlerError;
          reject(
            isOurs ? reason : new HostlerError('Unavailable', `${peer.node} does not answer`, { cause }),
          );
        };
        const outgoing = request(
          {
            agent,
            host: peer.address,
            port: peer.port,
            path: WITNESS_PATH,
            servername: '',
            checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
              faultOf(certificate, peer.node),
            signal,
          },
          (response) => {
            const chunks: Buffer[] = [];
            let size = 0;
            response.on('data', (chunk: Buffer) => {
              chunks.push(chunk);
              size += chunk.length;
              if (size > LONGEST_ANSWER) response.destroy(new Error('the answer is too long'));
            });
            response.once('error', fail);
            response.once('end', () => {
              const cutOffForMs = response.statusCode === 200 ? answerOf(Buffer.concat(chunks)) : undefined;
              if (cutOffForMs === undefined)
                fail(new Error(`it answered with status ${response.statusCode}`));
              else resolve(cutOffForMs);
            });
          },
        );
        outgoing.once('error', fail);
        outgoing.end();
      }),
    close() {
      for (const { agent } of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

function faultOf(certificate: PeerCertificate, node: string): Error | undefined {
  const name: unknown = certificate.subject?.CN;
  return name === `${NODE_USER_PREFIX}${node}` ? undefined : new Error(`it is ${String(name)}, not ${node}`);
}

function answerOf(bytes: Buffer): number | undefined {
  try {
    const { cutOffForMs } = JSON.parse(bytes.toString('utf8')) as { cutOffForMs?: unknown };
    return typeof cutOffForMs === 'number' && Number.isFinite(cutOffForMs) ? cutOffForMs : undefined;
  } catch {
    return undefined;
  }
}
