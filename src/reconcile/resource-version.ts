/**
 * Resource versions are opaque, except that those of Kubernetes (from 1.35 on as a promise) and of Hostler's own API are
 * decimal numbers that grow. Of any others nothing is claimed.
 * @returns whether `a` is certainly older than `b`
 */
export function isOlder(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || !isNumber(a) || !isNumber(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}

const isNumber = (version: string): boolean => /^[1-9]\d*$/.test(version);
