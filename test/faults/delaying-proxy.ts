/**
 * `node delaying-proxy.ts TO_SERVER_MS TO_CLIENT_MS LISTEN=TARGET…`: each connection to LISTEN is carried to TARGET, every byte
 * and the end of each direction so much later. Nothing is lost or reordered: that is what the kernel makes of a slow link, too.
 */
import { connect, createServer, type Socket } from 'node:net';

const [toServerMs, toClientMs] = process.argv.slice(2, 4).map(Number) as [number, number];

for (const pair of process.argv.slice(4)) {
  const [listen, target] = pair.split('=').map(addressOf) as [Address, Address];
  createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    carry(client, server, toServerMs);
    carry(server, client, toClientMs);
  }).listen(listen);
}

interface Address {
  host: string;
  port: number;
}

function addressOf(text: string): Address {
  const { hostname, port } = new URL(`tcp://${text}`);
  return { host: hostname, port: Number(port) };
}

function carry(from: Socket, to: Socket, delayMs: number): void {
  const later = (run: () => void): void => void setTimeout(run, delayMs);
  from.on('data', (chunk) => later(() => to.writable && to.write(chunk)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => later(() => to.resetAndDestroy()));
}
