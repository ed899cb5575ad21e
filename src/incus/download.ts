import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Agent, interceptors, request } from 'undici';
import { HostlerError } from '../ports/errors.ts';
import { abortFault } from './faults.ts';

const MAX_REDIRECTIONS = 5;
const STALL_TIMEOUT_MS = 30_000;

/** SHA-256 of a file's bytes: what both daemons call the fingerprint of a unified image. @throws NotFound */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash, { signal });
  } catch (cause) {
    if (signal.aborted) throw abortFault(signal);
    throw new HostlerError('NotFound', `image file ${path} cannot be read`, { cause });
  }
  return hash.digest('hex');
}

/**
 * Brings `url` into a temporary file, which is there only while `use` runs.
 * @param ca trusted beside the system's own authorities
 * @throws Invalid when its SHA-256 is not `fingerprint`; NotFound; Unavailable
 */
export async function withDownload<T>(
  { url, fingerprint, ca }: { url: string; fingerprint: string; ca?: Buffer | undefined },
  signal: AbortSignal,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'hostler-image-'));
  const agent = new Agent({
    bodyTimeout: STALL_TIMEOUT_MS,
    ...(ca === undefined ? {} : { connect: { ca } }),
  });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTIONS }));
  try {
    const path = join(directory, 'image');
    const hash = createHash('sha256');
    const answer = await request(url, { dispatcher, signal });
    if (answer.statusCode !== 200) throw refusal(url, answer.statusCode);
    await pipeline(answer.body as Readable, hashing(hash), createWriteStream(path), { signal });
    const found = hash.digest('hex');
    if (found !== fingerprint) {
      throw new HostlerError('Invalid', `image ${url} has SHA-256 ${found}, not ${fingerprint}`);
    }
    return await use(path);
  } catch (error) {
    if (signal.aborted) throw abortFault(signal);
    if (error instanceof HostlerError) throw error;
    throw new HostlerError('Unavailable', `image ${url} cannot be downloaded`, { cause: error });
  } finally {
    await agent.destroy();
    await rm(directory, { recursive: true, force: true });
  }
}

function hashing(hash: { update(chunk: Buffer): unknown }): PassThrough {
  return new PassThrough({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

function refusal(url: string, status: number): HostlerError {
  const code = status === 404 || status === 410 ? 'NotFound' : status >= 500 ? 'Unavailable' : 'Forbidden';
  return new HostlerError(code, `image ${url}: the server answered with status ${status}`);
}
