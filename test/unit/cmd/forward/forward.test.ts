import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forward } from '../../../../src/cmd/forward.ts';
import { freePort } from '../../../support/free-port.ts';

let folder = '';
let path = '';
let echo: Server;
let accepted: Socket[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-'));
  path = join(folder, 'echo.sock');
  accepted = [];
  echo = createServer((socket) => {
    accepted.push(socket);
    socket.pipe(socket);
  }).listen(path);
  await once(echo, 'listening');
});
afterEach(async () => {
  for (const socket of accepted) socket.destroy();
  echo.close();
  rmSync(folder, { recursive: true });
});

describe('forward', () => {
  it('passes bytes on both ways', async () => {
    const port = await freePort();
    const close = await forward(`127.0.0.1:${port}`, [path]);
    const client = connect(port, '127.0.0.1');
    client.write('hello');
    const [chunk] = (await once(client, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('hello');
    await close();
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends a connection whose other end has ended', async () => {
    const port = await freePort();
    const close = await forward(`127.0.0.1:${port}`, [path]);
    const client = connect(port, '127.0.0.1');
    client.write('hello');
    await once(client, 'data');
    for (const socket of accepted) socket.destroy();
    await once(client, 'close');
    expect(client.destroyed).toBe(true);
    await close();
  });

  it('ends a connection when nobody listens on the socket, and goes on', async () => {
    const port = await freePort();
    const close = await forward(`127.0.0.1:${port}`, [join(folder, 'none.sock')]);
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    await once(client, 'close');
    expect(client.destroyed).toBe(true);
    await close();
  });

  it.each(['0.0.0.0:6443', '10.0.0.1:6443', '6443'])('refuses to listen on %s', async (listen) => {
    await expect(forward(listen, [path])).rejects.toThrow(/must be 127/);
  });
});
