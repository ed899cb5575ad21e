import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createAuthority, type KeyPair } from '../../../src/apiserver/pki/certificates.ts';
import { issueClientCertificate, nodeIdentity } from '../../../src/apiserver/pki/cluster-pki.ts';
import { NODE_USER_PREFIX, NODES_GROUP } from '../../../src/apiserver/auth/user.ts';
import * as peersIdentity from '../../../src/peers/identity.ts';
import { createPeers } from '../../../src/peers/witness-client.ts';
import { serveWitness, type WitnessServer } from '../../../src/peers/witness-server.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';

const never = new AbortController().signal;

describe('agents that ask each other', () => {
  let ca: KeyPair;
  const closers: (() => unknown)[] = [];
  const identity = async (who: { user: string; groups: string[] }, isServerToo = true, by = ca) => {
    const pair = await issueClientCertificate({ ca: by, ...who, clock, isServerToo });
    return {
      ca: Buffer.from(ca.certificatePem),
      cert: Buffer.from(pair.certificatePem),
      key: Buffer.from(pair.keyPem),
    };
  };
  const serve = async (as: peersIdentity.PeerIdentity): Promise<WitnessServer> => {
    const server = await serveWitness({ host: '127.0.0.1', port: 0 }, as, {
      cutOffForMs: () => 4_200,
      logger,
    });
    closers.push(() => server.close());
    return server;
  };
  const ask = async (as: peersIdentity.PeerIdentity, node: string, { port }: { port: number }) => {
    const peers = createPeers(() => as);
    closers.push(() => peers.close());
    return await peers.ask({ node, address: '127.0.0.1', port }, never);
  };

  beforeAll(async () => {
    ca = await createAuthority('test', clock);
  });

  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  it('have one idea of their names with the API server', () => {
    expect(peersIdentity).toMatchObject({ NODE_USER_PREFIX, NODES_GROUP });
  });

  it('answers a node of the cluster', async () => {
    const server = await serve(await identity(nodeIdentity('b')));
    expect(await ask(await identity(nodeIdentity('a'), false), 'b', server)).toBe(4_200);
  });

  it('does not count the answer of another node than the one that was asked', async () => {
    const server = await serve(await identity(nodeIdentity('c')));
    await expect(ask(await identity(nodeIdentity('a')), 'b', server)).rejects.toMatchObject({
      code: 'Unavailable',
    });
  });

  it('answers nobody who is not a node, nor anybody of another cluster', async () => {
    const server = await serve(await identity(nodeIdentity('b')));
    const person = await identity({ user: 'jane', groups: ['people'] });
    await expect(ask(person, 'b', server)).rejects.toThrow('b does not answer');
    const other = await createAuthority('other', clock);
    const stranger = await identity(nodeIdentity('a'), true, other);
    await expect(ask(stranger, 'b', server)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it("is no server with a certificate of a client's alone", async () => {
    const server = await serve(await identity(nodeIdentity('b'), false));
    await expect(ask(await identity(nodeIdentity('a')), 'b', server)).rejects.toMatchObject({
      code: 'Unavailable',
    });
  });

  it('shows a new certificate, and asks with one, while everything goes on', async () => {
    const [before, after] = [await identity(nodeIdentity('b')), await identity(nodeIdentity('b'))];
    const server = await serve(before);
    let own = await identity(nodeIdentity('a'));
    const peers = createPeers(() => own);
    closers.push(() => peers.close());
    const askB = () => peers.ask({ node: 'b', address: '127.0.0.1', port: server.port }, never);
    expect(await askB()).toBe(4_200);
    server.replace(after);
    // Who has a connection keeps it; who makes one, sees the new certificate.
    expect(await askB()).toBe(4_200);
    own = await identity(nodeIdentity('a'));
    expect(await askB()).toBe(4_200);
    const shown = connect({
      ...own,
      host: '127.0.0.1',
      port: server.port,
      checkServerIdentity: () => undefined,
    });
    closers.push(() => void shown.destroy());
    await once(shown, 'secureConnect');
    expect(shown.getPeerX509Certificate()?.fingerprint256).toBe(
      new X509Certificate(after.cert).fingerprint256,
    );
  });

  it('are asked again while a question is open, and the end of that one ends none that came after it', async () => {
    const open: ServerResponse[] = [];
    const server = createServer(await identity(nodeIdentity('b')), (_, response) => void open.push(response));
    closers.push(
      () => void server.close(),
      () => server.closeAllConnections(),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const self = await identity(nodeIdentity('a'));
    const peers = createPeers(() => self);
    closers.push(() => peers.close());
    const peer = { node: 'b', address: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const stop = new AbortController();
    const arrives = (): Promise<unknown> => once(server, 'request');
    const askB = async (signal: AbortSignal) => {
      const arrived = arrives();
      const answer = peers.ask(peer, signal);
      await arrived;
      return { answer };
    };
    const first = await askB(stop.signal);
    const second = await askB(never);
    open[1]?.end('{"cutOffForMs":2}');
    expect(await second.answer).toBe(2);
    const third = (await askB(never)).answer.catch((error: Error) => error.message);
    stop.abort();
    await expect(first.answer).rejects.toMatchObject({ code: 'Unavailable' });
    // The third one shared the connections of the first.
    const fourth = await askB(never);
    expect(await third).toBe('b does not answer');
    open[3]?.end('{"cutOffForMs":4}');
    expect(await fourth.answer).toBe(4);
  });

  it('gives up when it is told to', async () => {
    const server = await serve(await identity(nodeIdentity('b')));
    const self = await identity(nodeIdentity('a'));
    const peers = createPeers(() => self);
    closers.push(() => peers.close());
    const asked = peers.ask({ node: 'b', address: '127.0.0.1', port: server.port }, AbortSignal.abort());
    await expect(asked).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
