import { readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container } from '../../crds/container.ts';
import type { KnownCluster } from '../../plan/lifecycle/cluster.ts';
import type { ContainerRecord } from '../../plan/lifecycle/record.ts';
import { HostlerError } from '../../ports/errors.ts';
import { syncFolder, writeSynced } from '../../ports/durable-file.ts';

/** What an agent must know after its own restart when the API is away. */
export interface DesiredState {
  nodeName: string;
  containers: readonly AssignedContainer[];
  /** Highest epochs seen, by uid of the Container; outlives the assignment. */
  epochs: Readonly<Record<string, number>>;
  /** Absent: no API was heard yet. */
  cluster?: KnownCluster;
}

/** A Container that this node was to run when the API was last heard, and what happened to it since. */
export interface AssignedContainer {
  /** Without what no decision needs. */
  container: Container;
  record: ContainerRecord;
}

export interface DesiredStateFile {
  /**
   * @returns undefined when there is none yet
   * @throws Invalid when its content cannot be used; it is left where it is
   */
  read(): Promise<DesiredState | undefined>;

  /**
   * Replaces the content in one step: after a crash, a power cut or on a full disk the file holds either the old content
   * or the new one. On the disk when it resolves. Never called again before the call before has ended.
   * @throws Unavailable when it could not be written; the old content stays
   */
  write(state: DesiredState): Promise<void>;

  /** Puts a file that cannot be used aside, under another name. @returns that name */
  setAside(): Promise<string>;
}

/** Grows when older agents could misread the content. */
const FORMAT_VERSION = 1;

/** @param path of the file; its folder exists */
export function openDesiredStateFile(path: string): DesiredStateFile {
  const temporaryPath = `${path}.new`;
  return {
    async read() {
      const text = await readText(path);
      return text === undefined ? undefined : parse(path, text);
    },

    async write(state) {
      try {
        await writeSynced(temporaryPath, JSON.stringify({ formatVersion: FORMAT_VERSION, ...state }));
        await rename(temporaryPath, path);
        await syncFolder(dirname(path));
      } catch (cause) {
        await rm(temporaryPath, { force: true }).catch(() => {});
        throw new HostlerError('Unavailable', `Cannot save the desired state to ${path}`, { cause });
      }
    },

    async setAside() {
      const asidePath = `${path}.damaged`;
      await rename(path, asidePath);
      return asidePath;
    },
  };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HostlerError('Unavailable', `Cannot read the desired state from ${path}`, { cause });
  }
}

function parse(path: string, text: string): DesiredState {
  let content: Partial<DesiredState> & { formatVersion?: unknown };
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new HostlerError('Invalid', `The desired state in ${path} is damaged`, { cause });
  }
  const { formatVersion, nodeName, containers, epochs, cluster } = content ?? {};
  if (formatVersion !== FORMAT_VERSION) {
    throw new HostlerError(
      'Invalid',
      `The desired state in ${path} has format ${String(formatVersion)}; this agent reads format ${FORMAT_VERSION}`,
    );
  }
  if (typeof nodeName !== 'string' || !Array.isArray(containers) || typeof epochs !== 'object') {
    throw new HostlerError('Invalid', `The desired state in ${path} is damaged: parts are missing`);
  }
  return { nodeName, containers, epochs, ...(cluster === undefined ? {} : { cluster }) };
}
