import { describe, expect, it } from '@jest/globals';
import { parseImageReference } from '../../../src/incus/image-reference.ts';

const HASH = 'ab'.repeat(32);

describe('parseImageReference', () => {
  it.each([
    ['images:debian/12', { from: 'remote', remote: 'images', alias: 'debian/12' }],
    [
      `https://x.example/a.tar.gz#sha256=${HASH}`,
      { from: 'url', url: 'https://x.example/a.tar.gz', fingerprint: HASH },
    ],
    ['file:///var/lib/a%20b.tar.gz', { from: 'file', path: '/var/lib/a b.tar.gz' }],
  ])('understands %s', (reference, expected) => {
    expect(parseImageReference(reference)).toEqual(expected);
  });

  it.each([
    'debian',
    'file://host/a',
    'http://x.example/a#sha256=00',
    'https://x.example/a',
    'file:///a%2Fb',
    '',
  ])('refuses %j', (reference) => {
    expect(() => parseImageReference(reference)).toThrow(expect.objectContaining({ code: 'Invalid' }));
  });
});
