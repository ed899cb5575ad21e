import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';

/** A daemon that answers what a test tells it to; what it was not told about gets a 404 in the daemons' own shape. */
export interface ScriptedDaemon {
  socketPath: string;
  /** Of the daemon, in order: `GET /1.0/instances?recursion=1`. */
  requests: string[];
  bodies: unknown[];
  answers: Map<string, Answer>;
  /** Event streams that are open. */
  streams: Set<WebSocket>;
  /** Resolves when the next event stream has opened. */
  nextStream(): Promise<WebSocket>;
  stop(): Promise<void>;
}

/** `silent`: nothing is ever answered. */
export type Answer = 'silent' | { status?: number; body: object | string };

export const sync = (metadata: unknown): Answer => ({
  body: { type: 'sync', status_code: 200, error: '', metadata },
});
export const begun = (id: string): Answer => ({
  status: 202,
  body: { type: 'async', error: '', operation: `/1.0/operations/${id}`, metadata: {} },
});
export const failed = (status: number, error: string): Answer => ({
  status,
  body: { type: 'error', error_code: status, error, metadata: null },
});

export async function startScriptedDaemon(): Promise<ScriptedDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'hostler-scripted-'));
  const socketPath = join(directory, 'socket');
  const sockets = new Set<Socket>();
  const waiting: ((stream: WebSocket) => void)[] = [];
  const daemon: ScriptedDaemon = {
    socketPath,
    requests: [],
    bodies: [],
    answers: new Map(),
    streams: new Set(),
    nextStream: () => new Promise((resolve) => waiting.push(resolve)),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await rm(directory, { recursive: true });
    },
  };
  const server = createServer((request, response) => void answer(daemon, request, response));
  const events = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    events.handleUpgrade(request, socket, head, (stream) => {
      daemon.streams.add(stream);
      stream.on('close', () => daemon.streams.delete(stream));
      waiting.shift()?.(stream);
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return daemon;
}

async function answer(
  daemon: ScriptedDaemon,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const what = `${request.method} ${request.url}`;
  daemon.requests.push(what);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  if (request.headers['content-type'] === 'application/json') daemon.bodies.push(JSON.parse(text));
  const found =
    daemon.answers.get(what) ?? daemon.answers.get(what.split('?')[0] ?? '') ?? failed(404, 'Not Found');
  if (found === 'silent') return;
  response.statusCode = found.status ?? 200;
  response.end(typeof found.body === 'string' ? found.body : JSON.stringify(found.body));
}
