import { ApiError, badRequest } from '../status.ts';

/** The part of a readable stream that a body is read from. */
export interface BodyStream {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close' | 'aborted', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  pause(): unknown;
}

/**
 * How much of a body that is too large is read and thrown away: a client that is still sending does not see the answer
 * when the connection is cut under it.
 */
const DRAINED_BYTES = 16 * 1024 * 1024;

/** Reads the whole body. @throws ApiError 413 when it has more than `maxBytes` */
export function readLimited(stream: BodyStream, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks = [];
      if (size <= maxBytes + DRAINED_BYTES) return;
      stream.pause();
      reject(tooLarge(maxBytes));
    });
    stream.on('end', () => {
      if (size > maxBytes) reject(tooLarge(maxBytes));
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    stream.on('error', reject);
    const onGone = (): void => reject(badRequest('the request ended before its body was complete'));
    stream.on('aborted', onGone);
    stream.on('close', onGone);
  });
}

const tooLarge = (maxBytes: number): ApiError =>
  new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBytes}`);
