import { readFile, rename, writeFile } from 'node:fs/promises';
import { HostlerError } from '../../ports/errors.ts';
import type { KnownPeers, KnownPeersFile } from '../node/witnesses.ts';

/** Who the other nodes are, for an agent that starts while the API is away. What cannot be read counts as nothing. */
export function openKnownPeersFile(path: string): KnownPeersFile {
  /** One at a time: two would write, and rename, the same new file. Never rejects. */
  let last: Promise<void> = Promise.resolve();

  const save = async (known: KnownPeers): Promise<void> => {
    try {
      await writeFile(`${path}.new`, JSON.stringify(known), { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (cause) {
      throw new HostlerError('Unavailable', `Cannot write ${path}`, { cause });
    }
  };

  return {
    async read() {
      try {
        const known = JSON.parse(await readFile(path, 'utf8')) as Partial<KnownPeers>;
        return Array.isArray(known.peers) ? (known as KnownPeers) : undefined;
      } catch {
        // There is none yet, or it is damaged: the API has it all.
        return undefined;
      }
    },
    write(known) {
      const saved = last.then(() => save(known));
      // Whoever asked for it is told.
      last = saved.catch(() => undefined);
      return saved;
    },
  };
}
