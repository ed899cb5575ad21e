import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issueCertificate } from '../../src/apiserver/pki/certificates.ts';
import { systemClock } from '../../src/ports/clock.ts';

/** A management controller on loopback that knows one ComputerSystem. */
export interface RedfishStub {
  readonly url: string;
  readonly caPem: string;
  /** What the system says of its power. */
  power: string;
  /** How it answers to a reset. `slow`: it says On for a while after; `never`: it accepts, and nothing happens. */
  onReset: 'off' | 'slow' | 'never' | 'refuse' | 'hang';
  readonly resets: object[];
  stop(): Promise<void>;
}

export const REDFISH_USER = { username: 'fencer', password: 'secret' };
const SYSTEM = '/redfish/v1/Systems/1';

export async function startRedfish(): Promise<RedfishStub> {
  const ca = await createAuthority('redfish-test', systemClock);
  const pair = await issueCertificate(
    ca,
    { commonName: 'bmc', usages: ['server'], names: ['127.0.0.1'], validDays: 1 },
    systemClock,
  );
  const resets: object[] = [];
  const server = createServer({ cert: pair.certificatePem, key: pair.keyPem }, (incoming, outgoing) => {
    void answer(stub, incoming, outgoing);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const stub: RedfishStub = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}${SYSTEM}`,
    caPem: ca.certificatePem,
    power: 'On',
    onReset: 'off',
    resets,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}

async function answer(stub: RedfishStub, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { username, password } = REDFISH_USER;
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  if (incoming.headers.authorization !== expected) return void outgoing.writeHead(401).end();
  if (incoming.method === 'GET') {
    outgoing
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ PowerState: stub.power }));
    if (stub.power === 'PoweringOff') stub.power = 'Off';
    return;
  }
  stub.resets.push(JSON.parse(Buffer.concat(chunks).toString()) as object);
  if (stub.onReset === 'hang') return;
  if (stub.onReset === 'off') stub.power = 'Off';
  if (stub.onReset === 'slow') stub.power = 'PoweringOff';
  outgoing.writeHead(stub.onReset === 'refuse' ? 409 : 204).end();
}
