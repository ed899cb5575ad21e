import type { HostFolders, PoolFolder } from '../../src/agent/pools/host-folders.ts';
import { HostlerError } from '../../src/ports/errors.ts';

/** A filesystem in memory. A copy of it is another one with the same content. */
export interface FakeFilesystem {
  marker?: string;
  notes: Map<string, string>;
  /** By path, relative to the top. */
  folders: Map<string, string[]>;
}

/** The folders of one host: what is mounted where. */
export interface FakeFolders extends HostFolders {
  readonly mounts: Map<string, FakeFilesystem>;
  readonly unmounted: string[];
}

export function createFakeFilesystem(): FakeFilesystem {
  return { notes: new Map(), folders: new Map() };
}

export function copyOf(filesystem: FakeFilesystem): FakeFilesystem {
  return structuredClone(filesystem);
}

/** @param has whether a file is in a folder; a test that recovers instances says so */
export function createFakeFolders(has: (path: string, file: string) => boolean = () => false): FakeFolders {
  const mounts = new Map<string, FakeFilesystem>();
  /** Pools of the host itself. */
  const own = createFakeFilesystem();
  const unmounted: string[] = [];
  const at = (source: string): FakeFilesystem => {
    const filesystem = mounts.get(source);
    if (filesystem === undefined)
      throw new HostlerError('Timeout', `The filesystem at ${source} does not answer`);
    return filesystem;
  };
  const of = ({ source, uid }: PoolFolder): FakeFilesystem => {
    if (uid === undefined) return own;
    if (mounts.get(source)?.marker === uid) return at(source);
    throw new HostlerError('Unavailable', `The filesystem of the storage pool is not mounted at ${source}`);
  };
  return {
    mounts,
    unmounted,
    mountFault: async (source) => (mounts.has(source) ? undefined : `Nothing is mounted at ${source}`),
    claim: async (source, uid) => (at(source).marker ??= uid),
    release: async (source, uid) => {
      const filesystem = at(source);
      if (filesystem.marker !== uid) return;
      delete filesystem.marker;
      filesystem.notes.clear();
    },
    readNote: async (source, name) => at(source).notes.get(name),
    writeNote: async (source, name, text) => void at(source).notes.set(name, text),
    usage: async () => ({ totalBytes: 64 * 2 ** 30, usedBytes: 2 ** 30 }),
    ensure: async (folder) => {
      const { folders } = of(folder);
      if (!folders.has(folder.path)) folders.set(folder.path, []);
      return `${folder.source}/${folder.path}`;
    },
    list: async (folder) => of(folder).folders.get(folder.path),
    has: async (folder, file) =>
      of(folder).folders.has(folder.path) && has(`${folder.source}/${folder.path}`, file),
    setAside: async (folder) => {
      const { folders } = of(folder);
      const content = folders.get(folder.path);
      if (content === undefined) return undefined;
      folders.delete(folder.path);
      folders.set(`${folder.path}.aside`, content);
      return `${folder.source}/${folder.path}.aside`;
    },
    remove: async (folder) => void of(folder).folders.delete(folder.path),
    unmountPool: async (name) => void unmounted.push(name),
  };
}
