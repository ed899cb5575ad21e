import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type AddressInfo, type Server } from 'node:net';

/** Where the server listens. Port 0 takes a free one. */
export type ListenAddress = { host: string; port: number } | { path: string };

/**
 * Makes `server` listen on `address`. The socket file of a server that died is taken over, that of a living one never is.
 * @returns the URL under which it can be reached (`https://127.0.0.1:6443`, `unix:/path`)
 */
export async function listen(server: Server, address: ListenAddress): Promise<string> {
  if ('path' in address) await removeDeadSocket(address.path);
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void =>
      reject(new Error(`Cannot listen on ${describe(address)}: ${cause.message}`, { cause }));
    server.once('error', onError);
    const options = 'path' in address ? { path: address.path } : { host: address.host, port: address.port };
    server.listen(options, () => {
      server.off('error', onError);
      resolve();
    });
  });
  if ('path' in address) {
    await chmod(address.path, 0o600);
    return `unix:${address.path}`;
  }
  const { port } = server.address() as AddressInfo;
  return `https://${hostInUrl(address.host)}:${port}`;
}

/** `0.0.0.0` cannot be connected to everywhere: the URL names the loopback instead. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

const describe = (address: ListenAddress): string =>
  'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;

async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`Cannot listen on unix:${path}: there is a file that is not a socket`);
  if (await answers(path)) throw new Error(`Cannot listen on unix:${path}: another process listens there`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
