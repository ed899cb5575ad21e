import { createHash, randomBytes } from 'node:crypto';

/** A half-open range of keys as etcd takes it; without `rangeEnd` one key. */
export interface KeyRange {
  key: Buffer;
  rangeEnd?: Buffer;
}

/** All keys that begin with `prefix`; an empty prefix means every key. */
export function prefixRange(prefix: string): KeyRange & { rangeEnd: Buffer } {
  const key = Buffer.from(prefix);
  if (key.length === 0) return { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
  const end = Buffer.from(key);
  for (let last = end.length - 1; last >= 0; last--) {
    const byte = end[last] ?? 0;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return { key, rangeEnd: end.subarray(0, last + 1) };
    }
  }
  return { key, rangeEnd: Buffer.from([0]) };
}

/** Changing this key ends every create that is still on its way (write.ts). */
export const fenceKey = Buffer.from('.hostler/fence');

const slots = 256;

/** The record that a write to `key` leaves of itself, so that a lost reply can be read back (write.ts). */
export function recordKey(key: string): Buffer {
  const hash = createHash('sha1').update(key).digest().readUInt32BE(0);
  return Buffer.from(`.hostler/write/${(hash % slots).toString(16).padStart(2, '0')}`);
}

/** Names one write for ever. */
export function writeToken(): Buffer {
  return randomBytes(16);
}
