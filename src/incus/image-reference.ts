import { fileURLToPath } from 'node:url';
import { HostlerError } from '../ports/errors.ts';

/** Where an image comes from, as `spec.image` of a Container says it. */
export type ImageReference =
  | { from: 'remote'; remote: string; alias: string }
  | { from: 'url'; url: string; fingerprint: string }
  | { from: 'file'; path: string };

const REMOTE = /^([a-z0-9][a-z0-9._-]*):([A-Za-z0-9][A-Za-z0-9._/-]*)$/;
const HTTPS = /^(https:\/\/\S+)#sha256=([0-9a-f]{64})$/;

/** @throws Invalid that says what a reference looks like */
export function parseImageReference(reference: string): ImageReference {
  const [, url, fingerprint] = HTTPS.exec(reference) ?? [];
  if (url !== undefined && fingerprint !== undefined) return { from: 'url', url, fingerprint };
  if (reference.startsWith('file:///')) return { from: 'file', path: pathOf(reference) };
  const [, remote, alias] = REMOTE.exec(reference) ?? [];
  if (remote !== undefined && alias !== undefined) return { from: 'remote', remote, alias };
  throw malformed(reference);
}

function pathOf(reference: string): string {
  try {
    return fileURLToPath(reference);
  } catch (cause) {
    throw malformed(reference, cause);
  }
}

function malformed(reference: string, cause?: unknown): HostlerError {
  return new HostlerError(
    'Invalid',
    `image ${JSON.stringify(reference)} is none of <remote>:<alias>, https://…#sha256=…, file:///…`,
    { cause },
  );
}
