import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { HostlerError, hasCode } from '../ports/errors.ts';
import type { HostImage } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import { hashFile, withDownload } from './download.ts';
import { abortFault } from './faults.ts';
import { createFileHashes } from './file-hashes.ts';
import { type ImageReference, parseImageReference } from './image-reference.ts';

/**
 * Images, each on the host once. Under which references it was asked for is kept by the daemon, as one alias per
 * reference, so that it survives us and goes away with the image. A remote's alias is looked up once: from then on, the
 * host keeps the image that it stood for, and all containers of the host get the same.
 */
export interface Images {
  ensure(reference: string, signal: AbortSignal): Promise<string>;
  list(signal: AbortSignal): Promise<HostImage[]>;
}

/** An image server; `protocol` as the daemon names it. */
export interface Remote {
  url: string;
  protocol: 'simplestreams' | 'incus' | 'lxd';
}

export interface ImagesOptions {
  api: Api;
  clock: Clock;
  /** Ends all imports. */
  lifetime: AbortSignal;
  remotes: Readonly<Record<string, Remote>>;
  imageTimeoutMs: number;
  /** Trusted for https references beside the system's own authorities. */
  imageServerCa?: Buffer | undefined;
}

interface AliasView {
  name: string;
  description: string;
  target: string;
}

const ALIAS_PREFIX = 'hostler-';

export function createImages(options: ImagesOptions): Images {
  const { api, clock, lifetime, imageTimeoutMs } = options;
  /** By reference and by fingerprint: who comes second waits for the first. */
  const underWay = new Map<string, Promise<string>>();
  const hashOf = createFileHashes();
  const once = (key: string, run: (signal: AbortSignal) => Promise<string>): Promise<string> => {
    const running = underWay.get(key);
    if (running !== undefined) return running;
    const deadline = { clock, timeoutMs: imageTimeoutMs, what: `the import of image ${key}` };
    const begun = withDeadline(deadline, lifetime, run).finally(() => underWay.delete(key));
    underWay.set(key, begun);
    return begun;
  };
  const importOnce = (
    fingerprint: string,
    bring: (signal: AbortSignal) => Promise<string>,
  ): Promise<string> =>
    once(fingerprint, async (signal) =>
      (await api.find(`/1.0/images/${fingerprint}`, signal)) === undefined ? bring(signal) : fingerprint,
    );

  /** @param known what the host has by this reference: an image that goes takes its aliases along */
  const resolve = async (
    parsed: ImageReference,
    known: string | undefined,
    signal: AbortSignal,
  ): Promise<string> => {
    if (parsed.from === 'file') {
      const { path } = parsed;
      const fingerprint = await hashOf(path, signal);
      if (fingerprint === known) return known;
      return importOnce(fingerprint, (within) => upload(options, path, within));
    }
    if (parsed.from === 'url') {
      if (parsed.fingerprint === known) return known;
      const download = { ...parsed, ca: options.imageServerCa };
      return importOnce(parsed.fingerprint, (within) =>
        withDownload(download, within, (path) => upload(options, path, within)),
      );
    }
    return known ?? copyFromRemote(options, parsed, signal);
  };

  return {
    async ensure(reference, signal) {
      const parsed = parseImageReference(reference);
      const job = once(reference, async (within) => {
        const known = await aliasOf(api, reference, within);
        const fingerprint = await resolve(parsed, known?.target, within);
        if (known?.target !== fingerprint)
          await keepReference(api, { reference, fingerprint, known }, within);
        return fingerprint;
      });
      return whileWanted(job, signal);
    },
    async list(signal) {
      const aliases = await api.get<AliasView[]>('/1.0/images/aliases?recursion=1', signal);
      return aliases
        .filter(({ name, description }) => name === aliasName(description))
        .map(({ description, target }) => ({ reference: description, fingerprint: target }));
    },
  };
}

/** Others may wait for the same job: a caller that gives up leaves it running. */
async function whileWanted(job: Promise<string>, signal: AbortSignal): Promise<string> {
  if (signal.aborted) throw abortFault(signal);
  const gaveUp = Promise.withResolvers<never>();
  const onAbort = (): void => gaveUp.reject(abortFault(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([job, gaveUp.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function upload(
  { api, imageTimeoutMs }: ImagesOptions,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const { size } = await stat(path);
  const bytes = createReadStream(path);
  try {
    const change = { method: 'POST' as const, path: '/1.0/images', upload: { bytes, size } };
    const { fingerprint } = await api.change({ ...change, timeoutMs: imageTimeoutMs }, signal);
    return String(fingerprint);
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
    // Another process of the host imported it in the same moment.
    return await hashFile(path, signal);
  } finally {
    bytes.destroy();
  }
}

async function copyFromRemote(
  { api, remotes, imageTimeoutMs }: ImagesOptions,
  { remote, alias }: { remote: string; alias: string },
  signal: AbortSignal,
): Promise<string> {
  const server = remotes[remote];
  if (server === undefined) {
    const known = Object.keys(remotes).sort().join(', ');
    throw new HostlerError('NotFound', `there is no image server ${remote} (known: ${known || 'none'})`);
  }
  const { url, protocol } = server;
  const source = { type: 'image', mode: 'pull', server: url, protocol, alias, image_type: 'container' };
  const change = {
    method: 'POST' as const,
    path: '/1.0/images',
    body: { source },
    timeoutMs: imageTimeoutMs,
  };
  try {
    const { fingerprint } = await api.change(change, signal);
    return String(fingerprint);
  } catch (error) {
    throw remoteFault(`${remote}:${alias}`, error);
  }
}

/** The daemon has no status for what its image server said. */
function remoteFault(reference: string, cause: unknown): HostlerError {
  const error =
    cause instanceof HostlerError ? cause : new HostlerError('Internal', String(cause), { cause });
  const code = /not find|not found|couldn't be found|doesn't exist/i.test(error.message)
    ? 'NotFound'
    : error.code;
  return new HostlerError(code, `image ${reference}`, { cause: error });
}

async function keepReference(
  api: Api,
  { reference, fingerprint, known }: { reference: string; fingerprint: string; known: AliasView | undefined },
  signal: AbortSignal,
): Promise<void> {
  const body = { name: aliasName(reference), description: reference, target: fingerprint };
  if (known !== undefined) {
    // The file behind the reference is another one now.
    await api.change({ method: 'PUT', path: aliasPath(reference), body }, signal);
    return;
  }
  try {
    await api.change({ method: 'POST', path: '/1.0/images/aliases', body }, signal);
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
  }
}

function aliasOf(api: Api, reference: string, signal: AbortSignal): Promise<AliasView | undefined> {
  return api.find<AliasView>(aliasPath(reference), signal);
}

function aliasPath(reference: string): string {
  return `/1.0/images/aliases/${aliasName(reference)}`;
}

/** References hold slashes, colons and more: their hash is the name, they themselves the description. */
function aliasName(reference: string): string {
  return `${ALIAS_PREFIX}${createHash('sha256').update(reference).digest('hex').slice(0, 32)}`;
}
