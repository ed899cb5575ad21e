import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { Keeper } from './keeper.ts';
import { decode, encode, type GuardAnswer, type GuardRequest, lineReader } from './messages.ts';

/** Answers on a unix socket that only its owner may open. */
export interface GuardServer {
  /** Whether the socket's path still leads here: another guard may have been started for the same folder. */
  isInPlace(): boolean;
  close(): void;
}

/**
 * Takes `path` over in one step, from whoever had it.
 * @throws Unavailable when it cannot listen there
 */
export async function serveGuard(
  path: string,
  keeper: Keeper,
  { onOrder, logger }: { onOrder: () => void; logger: Logger },
): Promise<GuardServer> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    client.on('error', (error) =>
      logger.debug({ error: messageOf(error) }, 'a client of the socket is gone'),
    );
    client.on(
      'data',
      lineReader((line) => {
        client.write(encode(answerTo(line, keeper)));
        onOrder();
      }),
    );
  });
  const own = `${path}.${process.pid}`;
  rmSync(own, { force: true });
  server.listen(own);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new HostlerError('Unavailable', `Cannot listen on ${path}`, { cause });
  }
  chmodSync(own, 0o600);
  renameSync(own, path);
  const { ino } = statSync(path);
  return {
    isInPlace: () => statSync(path, { throwIfNoEntry: false })?.ino === ino,
    close() {
      for (const client of clients) client.destroy();
      server.close();
    },
  };
}

function answerTo(line: string, keeper: Keeper): GuardAnswer {
  let id = 0;
  try {
    const request = decode(line) as GuardRequest;
    id = request.id;
    switch (request.ask) {
      case 'report':
        return { id, report: keeper.report() };
      case 'order':
        keeper.order(request.order);
        return { id, done: true };
      case 'mayStart':
        return { id, may: keeper.mayStart(request.container) };
      default:
        return { id, fault: 'no such request' };
    }
  } catch (error) {
    return { id, fault: messageOf(error) };
  }
}
