import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKnownPeersFile } from '../../../../src/agent/state/known-peers-file.ts';

describe('the file of known peers', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hostler-peers-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  // Member lists that changed twice at once left one of two writes without its new file.
  it('takes writes that overlap, and keeps the last', async () => {
    const file = openKnownPeersFile(join(directory, 'peers.json'));
    const versions = Array.from({ length: 8 }, (_, index) => ({
      list: { version: index, members: [] },
      peers: [],
    }));
    await Promise.all(versions.map((known) => file.write(known)));
    expect(await file.read()).toEqual(versions.at(-1));
  });

  it('fails a write that cannot be done, and takes the next', async () => {
    const file = openKnownPeersFile(join(directory, 'none', 'peers.json'));
    await expect(file.write({ peers: [] })).rejects.toThrow('Cannot write');
    await expect(file.write({ peers: [] })).rejects.toThrow('Cannot write');
  });
});
