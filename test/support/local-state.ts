import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLeaks, tearDown } from '../../src/cmd/local/teardown.ts';

/** A state folder for a local cluster of one test's own; every cluster has its own namespaces, whatever its hosts' names. */
export interface LocalState {
  readonly stateDir: string;
  /** Ends whatever was started, and returns what is left all the same: nothing, if all is well. */
  remove(): Promise<string[]>;
}

export function createLocalState(): LocalState {
  const stateDir = mkdtempSync(join(tmpdir(), 'hostler-'));
  return {
    stateDir,
    async remove() {
      await tearDown(stateDir);
      return findLeaks(stateDir);
    },
  };
}
