import { mkdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { emptyMemory, type KeeperMemory } from './keeper.ts';

/**
 * What a guard must know when it is started again on the same machine: written after each order, in one step, in the
 * background, so that a disk that hangs holds nothing up. It does not have to outlive the machine: a deadline of an
 * earlier boot means nothing; only the list is then still of use.
 */
export interface MemoryFile {
  read(): KeeperMemory;
  /** Writes soon; the last one wins. */
  write(memory: KeeperMemory): void;
  /** Resolves when nothing is being written any more. */
  settled(): Promise<void>;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const NEVER = '-Infinity';

export function openMemoryFile(path: string, logger: Logger, bootId = readText(BOOT_ID) ?? ''): MemoryFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let next: KeeperMemory | undefined;
  let writing: Promise<void> | undefined;
  let isTold = false;

  const writeAll = async (): Promise<void> => {
    while (next !== undefined) {
      const memory = next;
      next = undefined;
      try {
        const text = JSON.stringify({ bootId, ...memory }, (_key, value: unknown) =>
          value === Number.NEGATIVE_INFINITY ? NEVER : value,
        );
        await writeFile(`${path}.new`, text, { mode: 0o600 });
        await rename(`${path}.new`, path);
        isTold = false;
      } catch (error) {
        if (!isTold) logger.error({ error: messageOf(error) }, 'cannot save what the guard holds');
        isTold = true;
      }
    }
    writing = undefined;
  };

  return {
    read() {
      const text = readText(path);
      if (text === undefined) return emptyMemory;
      try {
        const { bootId: savedIn, ...memory } = JSON.parse(text, (_key, value: unknown) =>
          value === NEVER ? Number.NEGATIVE_INFINITY : value,
        ) as KeeperMemory & { bootId: string };
        if (!Array.isArray(memory.containers)) throw new Error('there is no list of containers in it');
        return savedIn === bootId
          ? { ...emptyMemory, ...memory }
          : { ...emptyMemory, containers: memory.containers };
      } catch (error) {
        logger.error({ path, error: messageOf(error) }, 'what the guard held cannot be read; it begins anew');
        return emptyMemory;
      }
    },
    write(memory) {
      next = memory;
      writing ??= writeAll();
    },
    settled: async () => {
      await writing;
    },
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // There is none yet, or no way to read it: both mean that nothing is known.
    return undefined;
  }
}
