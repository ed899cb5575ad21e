import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';

it('a delaying proxy keeps every byte for as long as it should, in order, and hands on the end', async () => {
  const server = createServer({ allowHalfOpen: true }, (client) => client.pipe(client));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const [target, listen] = [server, free].map((one) => (one.address() as AddressInfo).port);
  free.close();
  await once(free, 'close');
  const program = new URL('delaying-proxy.ts', import.meta.url).pathname;
  const pair = `127.0.0.1:${listen}=127.0.0.1:${target}`;
  const proxy = spawn(process.execPath, ['--no-warnings', program, '150', '250', pair], { stdio: 'inherit' });
  try {
    const client = await connected(Number(listen));
    const sentMs = performance.now();
    const lines = Array.from({ length: 2_000 }, (_, number) => `${number}\n`).join('');
    client.end(lines);
    expect(await text(client)).toBe(lines);
    expect(performance.now() - sentMs).toBeGreaterThan(395);
  } finally {
    proxy.kill('SIGKILL');
    await once(proxy, 'exit');
    server.close();
  }
}, 60_000);

/** As soon as it listens. */
async function connected(port: number) {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      await delay(50);
    }
  }
}
