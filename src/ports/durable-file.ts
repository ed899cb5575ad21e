import { open } from 'node:fs/promises';

/** What is to be on the disk, and not only in the kernel's memory, when the promise resolves. */

/**
 * The file `path`, made or written over, readable by root alone. To be renamed into its place: half of it may be read meanwhile.
 * @param created refuses a file that is there already (EEXIST), and gives the new one this mode, whatever the umask says
 */
export async function writeSynced(path: string, text: string, created?: { mode: number }): Promise<void> {
  const file = await open(path, created === undefined ? 'w' : 'wx', created?.mode ?? 0o600);
  try {
    await file.writeFile(text);
    if (created !== undefined) await file.chmod(created.mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A file that was made in a folder, or renamed, is there after a power cut only once its folder is synced. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
