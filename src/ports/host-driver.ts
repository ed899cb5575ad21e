import type { InstanceTransfers } from './host-transfer.ts';

/**
 * What an agent can do to its host: Observe / Create / Update / Delete, each idempotent and each safe to repeat after a
 * lost reply. `src/incus` drives Incus and LXD; `test/support/fake-host.ts` passes the same suite (test/contract). A
 * driver never decides anything: no restarts, no retries beyond one lost reply, no policy. It refuses to change or
 * delete an instance or a pool that does not carry our mark (`Forbidden`). Failed reads throw: unknown is not absent.
 * Every call awaits the daemon's operation, and rejects with `Timeout` after its own deadline at the latest; what it asked
 * for may happen all the same, so callers observe again. The daemon's own message is in the error.
 */
export interface HostDriver extends InstanceTransfers {
  /** Facts about the host and its daemon. @throws Unavailable when the daemon does not answer */
  describeHost(signal: AbortSignal): Promise<HostFacts>;

  /** All instances that carry our mark, without their addresses (those cost a call each). */
  listInstances(signal: AbortSignal): Promise<Instance[]>;

  /** One instance, ours or not (`mark` tells). @returns undefined when there is none */
  getInstance(name: string, signal: AbortSignal): Promise<Instance | undefined>;

  /** Global addresses of a running instance, IPv4 first; empty when it has none (yet) or does not run. */
  getAddresses(name: string, signal: AbortSignal): Promise<string[]>;

  /**
   * Makes sure that the image is on the host, imported once by fingerprint however many callers ask at once.
   * @returns its fingerprint (lower-case hex)
   * @throws Invalid when the reference is malformed or the file's checksum is another; NotFound when there is no such
   * remote, alias or file; Unavailable when its server cannot be reached
   */
  ensureImage(reference: string, signal: AbortSignal): Promise<string>;

  /** Images on the host that ensureImage brought, by the references under which they were asked for. */
  listImages(signal: AbortSignal): Promise<HostImage[]>;

  /**
   * Creates the instance, stopped or (with `start`) running. Succeeds when there already is one with the same
   * `mark.uid`. @throws AlreadyExists when the name is taken by another instance
   */
  createInstance(spec: InstanceSpec, options: { start: boolean }, signal: AbortSignal): Promise<void>;

  /**
   * Brings settings and mark of an instance to `spec`, on the running instance where the daemon can.
   * @returns the names of what takes effect only at the next start; empty when all of it holds now
   */
  updateInstance(spec: InstanceSpec, signal: AbortSignal): Promise<{ restartRequired: string[] }>;

  /** Succeeds when it runs already. @throws Conflict while the daemon clears up after an end, and says that it runs */
  startInstance(name: string, signal: AbortSignal): Promise<void>;

  /** A clean stop for up to `graceMs`, then a forced one; 0 forces at once. Succeeds when it is stopped or gone already. */
  stopInstance(name: string, graceMs: number, signal: AbortSignal): Promise<void>;

  /**
   * Deletes a stopped instance with its root. Succeeds when it is gone already. @throws Conflict when it runs; Forbidden
   * when its root is on shared storage, where another host may be using it by now: see forgetInstance
   */
  deleteInstance(name: string, uid: string, signal: AbortSignal): Promise<void>;

  /**
   * Makes the instance whose root lies in `root.source` known to this daemon, stopped, with the settings and marks that it
   * had where it was last. Succeeds when it is known already. The caller must have proof that no other host uses the root:
   * nothing locks it. @throws NotFound when no complete instance of that name lies there; Forbidden when the name is taken
   * by another instance, or the daemon's own socket is not at hand; Invalid when this host lacks something that the
   * instance names (a network)
   */
  recoverInstance(root: SharedRoot, signal: AbortSignal): Promise<void>;

  /**
   * The opposite: the daemon no longer knows a stopped instance on shared storage, nor its pool; not one file of it is
   * touched. Succeeds when neither is known. @throws Conflict when it runs; Forbidden when it is not ours, or its root is
   * on a pool of this host
   */
  forgetInstance(root: Omit<SharedRoot, 'source'>, signal: AbortSignal): Promise<void>;

  /**
   * How a stopped instance ended the last time, by the daemon's records; costs more than a look, so it is asked only
   * after an end that nobody asked for, and before the next start, which may wipe the records away.
   * @returns `unknown` also when it runs or is not there
   */
  getLastEnd(name: string, signal: AbortSignal): Promise<LastEnd>;

  /** Every pool of the daemon, ours or not. */
  listPools(signal: AbortSignal): Promise<HostPool[]>;

  /** Creates the pool, or brings the settings of ours to `spec`. @throws AlreadyExists when it is not ours; Invalid */
  ensurePool(spec: PoolSpec, signal: AbortSignal): Promise<void>;

  /** Removes an empty pool of ours. Succeeds when it is gone. @throws Conflict while it is in use; Forbidden if not ours */
  deletePool(name: string, uid: string, signal: AbortSignal): Promise<void>;

  /**
   * Changes of state of our instances, until `signal` is aborted; reconnects by itself. After each (re)connection it
   * yields `resync`: events may have been missed, so list again.
   */
  events(signal: AbortSignal): AsyncIterable<HostEvent>;

  close(): Promise<void>;
}

export interface HostFacts {
  runtime: 'incus' | 'lxd';
  runtimeVersion: string;
  kernelVersion: string;
  operatingSystem: string;
  architecture: string;
  hostname: string;
  cpuCount: number;
  memoryBytes: number;
  /** Global addresses of the host, IPv4 first. */
  addresses: string[];
  /** Names of the daemon's managed networks. */
  networks: string[];
}

/** Kept on the instance as `user.hostler.*`. */
export interface InstanceMark {
  /** uid of the Container. */
  uid: string;
  namespace: string;
  name: string;
  epoch: number;
  /** `metadata.generation` that the settings were last brought to. */
  generation: number;
}

/** The whole desired instance; a driver turns it into the daemon's own config and devices. */
export interface InstanceSpec {
  name: string;
  mark: InstanceMark;
  /** From ensureImage; only looked at by createInstance. */
  imageFingerprint: string;
  rootPool: string;
  /**
   * Set for a root on shared storage: the folder for this instance alone, over which createInstance makes `rootPool` first,
   * a `dir` pool of the one instance. It must be empty.
   */
  rootSource?: string;
  /** Folders of the host that the instance sees. */
  volumes?: readonly VolumeMount[];
  /** Absent: no limit. */
  milliCpu?: number;
  memoryBytes?: number;
  diskBytes?: number;
  networks: readonly { name: string; network: string }[];
  /** Whether it gets the settings that a live move needs, where this host is capable of one. @defaultValue false */
  movesLive?: boolean;
  /** Further keys of the daemon's instance configuration. */
  config: Readonly<Record<string, string>>;
}

/** A folder of the host, shown to an instance; owners as the instance knows them. */
export interface VolumeMount {
  /** Of the device. */
  name: string;
  source: string;
  path: string;
  readOnly: boolean;
}

/** A root on shared storage, by the pool that is made over it on whichever host has it. */
export interface SharedRoot {
  /** Name of the instance. */
  name: string;
  /** uid of the Container. */
  uid: string;
  pool: string;
  source: string;
}

export interface Instance {
  name: string;
  /** Absent: not one of ours. */
  mark?: InstanceMark;
  /** Its root is on shared storage: it is forgotten here, never deleted. */
  isRootShared?: true;
  /** It is the incoming copy of the Migration with this uid (ports/host-transfer), not yet an instance to be started or deleted. */
  incoming?: string;
  /**
   * `Busy`: between two states (starting, stopping, …). `Freezing`: so it stays when what froze it, to read its memory, was killed; a
   * start thaws it.
   */
  status: 'Running' | 'Stopped' | 'Frozen' | 'Freezing' | 'Error' | 'Busy';
  imageFingerprint?: string;
  createdAt: string;
  /** When it was last started; absent if never. */
  lastStartedAt?: string;
}

export interface LastEnd {
  /** `clean`: its first process ended with status 0, or it powered itself off. `unknown`: nothing can be said. */
  kind: 'clean' | 'error' | 'unknown';
  /** For people: `Exited with status 3`, `Killed by signal 9`. */
  message: string;
}

export interface HostImage {
  reference: string;
  fingerprint: string;
}

export interface PoolSpec {
  name: string;
  /** uid of the StoragePool, kept as `user.hostler.uid`. */
  uid: string;
  driver: string;
  source?: string;
  sizeBytes?: number;
  config: Readonly<Record<string, string>>;
}

export interface HostPool {
  name: string;
  /** Absent: not one of ours. */
  uid?: string;
  driver: string;
  /** Its folder on the host, for driver `dir`. */
  path?: string;
  /** `Created`, `Unavailable`, … as the daemon says. */
  status: string;
  totalBytes?: number;
  usedBytes?: number;
  /** Whether instances, images or volumes are on it. */
  inUse: boolean;
}

export type HostEvent =
  | { type: 'resync' }
  | {
      type: 'created' | 'started' | 'restarted' | 'updated' | 'deleted';
      name: string;
    }
  /** `requested` is false when the instance ended by itself. */
  | { type: 'stopped'; name: string; requested: boolean };
