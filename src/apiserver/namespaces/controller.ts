import type { KubeObject } from '../../crds/object.ts';
import { DEFAULT_NAMESPACES } from '../admission/namespace-lifecycle.ts';
import { type Namespace, NAMESPACE_FINALIZER } from '../builtin/namespace.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import { WorkQueue } from '../gc/work-queue.ts';
import { internalCall, type Served } from '../registry/served.ts';
import { ApiError } from '../status.ts';

/**
 * Makes the default namespaces, and ends namespaces that are being deleted: everything in them is deleted, and once a
 * linearizable read finds nothing left, the finalizer goes. A create that had passed the admission just before may still
 * arrive, here or at another API server whose cache lags; so a namespace must have been Terminating for a while.
 */
export interface NamespaceControllerOptions {
  served: readonly Served[];
  clock: Clock;
  logger: Logger;
}

const WORKERS = 2;
/** Longer than a create that is under way takes. */
const SETTLE_MS = 1_000;
/** How soon a namespace is looked at again while finalizers hold what is in it. */
const RECHECK_MS = 500;
const RETRY_MS = 1_000;

export class NamespaceController {
  readonly #options: NamespaceControllerOptions;
  readonly #queue: WorkQueue;
  readonly #namespaces: Served;
  readonly #contents: readonly Served[];
  /** When each was first seen Terminating, on the monotonic clock. */
  readonly #terminatingSinceMs = new Map<string, number>();

  constructor(options: NamespaceControllerOptions) {
    const { served, clock, logger } = options;
    const namespaces = served.find(
      ({ definition: { group, resource } }) => group === '' && resource === 'namespaces',
    );
    if (namespaces === undefined) throw new Error('the resource namespaces is not served');
    this.#options = options;
    this.#namespaces = namespaces;
    this.#contents = served.filter(({ definition }) => definition.namespaced);
    this.#queue = new WorkQueue({
      clock,
      workers: WORKERS,
      work: (name, signal) => this.#finish(name, signal),
      onFailure: (name, error) =>
        logger.warn({ namespace: name, err: error }, 'The end of a namespace failed; it is tried again'),
    });
    namespaces.cache.listen(({ before, after }) => {
      const { name, deletionTimestamp } = (after ?? before)?.object.metadata ?? { name: '' };
      if (after === undefined) this.#terminatingSinceMs.delete(name);
      else if (deletionTimestamp !== undefined) this.#queue.add(name);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#queue.run(signal), this.#makeDefaults(signal)]);
  }

  async #makeDefaults(signal: AbortSignal): Promise<void> {
    for (const name of DEFAULT_NAMESPACES) {
      while (!signal.aborted && !(await this.#make(name, signal))) {
        await sleep(this.#options.clock, RETRY_MS, signal);
      }
    }
  }

  /** @returns whether it is there now */
  async #make(name: string, signal: AbortSignal): Promise<boolean> {
    const body: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    const call = internalCall('namespaces', signal);
    try {
      await this.#namespaces.registry.create(
        undefined,
        body,
        { dryRun: false, fieldValidation: 'Ignore' },
        call,
      );
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status.reason === 'AlreadyExists') return true;
      if (!signal.aborted)
        this.#options.logger.warn({ namespace: name, err: error }, 'Cannot make a namespace yet');
      return false;
    }
  }

  /** @returns when to look again, if it has not ended */
  async #finish(name: string, signal: AbortSignal): Promise<number | void> {
    const { clock } = this.#options;
    if (this.#namespaces.cache.get(this.#namespaces.cache.prefix + name) === undefined) return undefined;
    const sinceMs = this.#terminatingSinceMs.get(name) ?? clock.monotonicMs();
    this.#terminatingSinceMs.set(name, sinceMs);
    const left = await this.#deleteContents(name, signal);
    if (left > 0) return RECHECK_MS;
    const settlesInMs = sinceMs + SETTLE_MS - clock.monotonicMs();
    if (settlesInMs > 0) return settlesInMs;
    await this.#namespaces.registry.rewrite({ name }, withoutFinalizer, signal);
    this.#options.logger.info({ namespace: name }, 'A namespace has ended');
    return undefined;
  }

  /** @returns how many objects are left */
  async #deleteContents(namespace: string, signal: AbortSignal): Promise<number> {
    const call = internalCall('namespaces', signal);
    const options = { dryRun: false, propagationPolicy: 'Background' } as const;
    let left = 0;
    for (const { registry } of this.#contents) {
      const { items } = await registry.list({ namespace }, call);
      if (items.length === 0) continue;
      await registry.deleteCollection({ namespace }, options, call);
      left += (await registry.list({ namespace }, call)).items.length;
    }
    return left;
  }
}

function withoutFinalizer(object: KubeObject): KubeObject {
  const namespace = object as Namespace;
  const finalizers = namespace.spec.finalizers ?? [];
  if (namespace.metadata.deletionTimestamp === undefined || !finalizers.includes(NAMESPACE_FINALIZER))
    return object;
  const kept = finalizers.filter((finalizer) => finalizer !== NAMESPACE_FINALIZER);
  const ended: Namespace = { ...namespace, spec: kept.length === 0 ? {} : { finalizers: kept } };
  return ended;
}
