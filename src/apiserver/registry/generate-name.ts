import { randomInt } from 'node:crypto';

/** No vowels and nothing that looks alike, so that no words come about. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const MAX_LENGTH = 63;

/** A name from `metadata.generateName`, cut so that it stays a DNS label. */
export function generateName(prefix: string): string {
  const suffix = Array.from({ length: SUFFIX_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return prefix.slice(0, MAX_LENGTH - SUFFIX_LENGTH) + suffix;
}
