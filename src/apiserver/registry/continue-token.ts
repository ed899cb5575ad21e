import { badRequest } from '../status.ts';

/** Where the next page of a list begins. Opaque to clients; of the same form as Kubernetes' own. */
export interface ContinueToken {
  /** All pages are read at this revision; -1: whatever is there now (after an expired token). */
  revision: number;
  /** The key, below the resource's prefix, after which the page begins. */
  after: string;
}

export function encodeToken({ revision, after }: ContinueToken): string {
  const token = { v: 'meta.k8s.io/v1', rv: revision, start: `${after}\0` };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** @throws ApiError 400 */
export function decodeToken(text: string): ContinueToken {
  let token: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    token = (JSON.parse(Buffer.from(text, 'base64url').toString()) as typeof token | null) ?? {};
  } catch (error) {
    throw invalidToken(error instanceof Error ? error.message : String(error));
  }
  const { v, rv, start } = token;
  if (v !== 'meta.k8s.io/v1')
    throw invalidToken(`server does not recognize this encoded version ${JSON.stringify(v)}`);
  if (!Number.isSafeInteger(rv) || rv === 0 || (rv as number) < -1) {
    throw invalidToken('incorrect encoded start resourceVersion');
  }
  if (typeof start !== 'string' || start === '' || start.split('/').includes('..')) {
    throw invalidToken('continue key is not valid');
  }
  return { revision: rv as number, after: start.replace(/\0$/, '') };
}

const invalidToken = (why: string): Error => badRequest(`continue key is not valid: ${why}`);
