import { type Container, containerKind, instanceNameOf } from '../../crds/container.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { keyOf } from '../../crds/object.ts';
import type { ContainerFacts, Step } from '../../plan/lifecycle/container.ts';
import { instanceSpecOf } from '../../plan/lifecycle/instance-spec.ts';
import { type Now, recordStarted, recordStopping } from '../../plan/lifecycle/record.ts';
import { hasCode, HostlerError } from '../../ports/errors.ts';
import type { InstanceSpec } from '../../ports/host-driver.ts';
import type { StorageLayout } from '../pools/container-storage.ts';
import { type ContainersContext, recordEvent } from './context.ts';

/** A step that changes something. */
export type Action = Extract<
  Step,
  { do: 'create' | 'update' | 'start' | 'stop' | 'delete' | 'accept' | 'drop' | 'release' }
>;

export function isAction(step: Step): step is Action {
  return step.do in FAILED;
}

/** CamelCase, for the Event and the condition of a step that failed. */
const FAILED: Record<Action['do'], string> = {
  create: 'FailedCreate',
  update: 'FailedUpdate',
  start: 'FailedStart',
  stop: 'FailedStop',
  delete: 'FailedDelete',
  accept: 'FailedAccept',
  drop: 'FailedDrop',
  release: 'FailedRelease',
};

/** Why a step failed, for the condition: image and pools are told apart, since another cure helps. */
export function failureReason(step: Action, error: unknown): string {
  if (error instanceof Error && error.name === 'HostlerError' && 'details' in error) {
    const { details } = error;
    if (typeof details === 'object' && details !== null && 'conditionReason' in details) {
      return String(details.conditionReason);
    }
  }
  return FAILED[step.do];
}

/**
 * Carries out one step. Each is idempotent, so that it can be repeated when its reply was lost. What must be remembered
 * before it happens is on the disk before it happens.
 */
export async function carryOut(
  context: ContainersContext,
  facts: ContainerFacts,
  step: Action,
  signal: AbortSignal,
): Promise<void> {
  const { container } = facts;
  const name = instanceNameOf(container);
  switch (step.do) {
    case 'create':
      return await create(context, facts, step, signal);
    case 'update':
      return await update(context, facts, signal);
    case 'start':
      await context.limits.starts.run(signal, async () => {
        if (!(await context.guarded.mayStart(container, signal))) {
          throw new HostlerError('Unavailable', `The guard of the host does not permit the start of ${name}`);
        }
        await context.host.startInstance(name, signal);
      });
      context.book.put(container, recordStarted(facts.record, container, nowOf(context)));
      recordEvent(context, container, ['Normal', 'Started'], startMessage(facts, name));
      return;
    case 'stop':
      return await stop(context, facts, step, signal);
    case 'delete':
      await removeInstance(context, facts, signal);
      recordEvent(context, container, ['Normal', 'Removed'], `Removed instance ${name} from the host`);
      return;
    case 'accept':
      return await accept(context, facts, step.migration, signal);
    case 'drop':
      return await context.host.dropTransfer(name, step.migration, signal);
    case 'release':
      return await release(context, container, signal);
  }
}

async function create(
  context: ContainersContext,
  { container, record }: ContainerFacts,
  { start }: Extract<Action, { do: 'create' }>,
  signal: AbortSignal,
): Promise<void> {
  const storage = await context.storage.layoutOf(container, signal);
  const isToBeNew = isMadeAnew(container, record);
  if (await context.storage.recover(container, { ...storage, isToBeNew }, signal)) {
    // What it was brought to elsewhere is not known: it is started as if for the first time here.
    context.book.put(container, { ...record, power: 'Stopped' });
    recordEvent(context, container, ['Normal', 'Recovered'], RECOVERED);
    return;
  }
  const imageFingerprint = await ensureImage(context, container, signal);
  const spec = instanceSpecOf(container, instanceDefaults(context, { imageFingerprint, storage }));
  await context.limits.creates.run(signal, () => context.host.createInstance(spec, { start }, signal));
  const started = recordStarted(record, container, nowOf(context));
  context.book.put(container, start ? started : { ...started, power: 'Stopped' });
  const what = start ? 'Created and started' : 'Created';
  recordEvent(context, container, ['Normal', 'Created'], `${what} instance ${spec.name}`);
}

/**
 * Only the loss of its host makes it anew, and only once: what was moved here on purpose, or went on here since and was
 * forgotten for a move that came to nothing, has its root.
 */
function isMadeAnew({ spec, status }: Container, { power }: ContainerFacts['record']): boolean {
  return spec.failover?.policy === 'Recreate' && status?.lostFrom !== undefined && power === 'New';
}

async function ensureImage(
  context: ContainersContext,
  container: Container,
  signal: AbortSignal,
): Promise<string> {
  const { image } = container.spec;
  try {
    const fingerprint = await context.host.ensureImage(image, signal);
    if (context.onImage(image)) {
      recordEvent(context, container, ['Normal', 'Pulled'], `Image ${image} is on the host`);
    }
    return fingerprint;
  } catch (cause) {
    if (signal.aborted) throw cause;
    const [code, conditionReason] = hasCode(cause, 'NotFound')
      ? (['NotFound', 'ImageNotFound'] as const)
      : hasCode(cause, 'Invalid')
        ? (['Invalid', 'ImageInvalid'] as const)
        : (['Unavailable', 'ImageUnavailable'] as const);
    throw new HostlerError(code, `Cannot get image ${image}`, { cause, details: { conditionReason } });
  }
}

async function update(
  context: ContainersContext,
  { container, seen, record }: ContainerFacts,
  signal: AbortSignal,
): Promise<void> {
  const imageFingerprint = typeof seen === 'object' ? (seen.imageFingerprint ?? '') : '';
  const storage = await context.storage.layoutOf(container, signal);
  const spec = instanceSpecOf(container, instanceDefaults(context, { imageFingerprint, storage }));
  const { restartRequired } = await context.host.updateInstance(spec, signal);
  context.book.put(container, { ...record, restartRequired });
  if (restartRequired.length > 0) {
    const message = `Restart it for these settings to hold: ${restartRequired.join(', ')}`;
    recordEvent(context, container, ['Normal', 'RestartRequired'], message);
  }
}

/** It was brought here by a migration, whole. What it had where it was is no end and no restart here. */
async function accept(
  context: ContainersContext,
  { container, record }: ContainerFacts,
  migration: string,
  signal: AbortSignal,
): Promise<void> {
  const spec = await specOf(context, container, signal);
  await context.host.acceptTransfer(spec, migration, signal);
  context.book.put(container, { ...record, restartRequired: [] });
  recordEvent(
    context,
    container,
    ['Normal', 'Accepted'],
    `Took over instance ${spec.name} from another node`,
  );
}

/** The whole instance, as it is to be on this host. */
export async function specOf(
  context: ContainersContext,
  container: Container,
  signal: AbortSignal,
): Promise<InstanceSpec> {
  const storage = await context.storage.layoutOf(container, signal);
  const { imageFingerprint = '' } = container.status ?? {};
  return instanceSpecOf(container, instanceDefaults(context, { imageFingerprint, storage }));
}

async function stop(
  context: ContainersContext,
  { container, record }: ContainerFacts,
  { because, graceMs }: Extract<Action, { do: 'stop' }>,
  signal: AbortSignal,
): Promise<void> {
  const name = instanceNameOf(container);
  context.book.put(container, recordStopping(record));
  await context.book.save();
  await context.host.stopInstance(name, graceMs, signal);
  if (because === 'Deleted') return;
  if (because === 'Migrating') {
    recordEvent(context, container, ['Normal', 'Stopped'], `Stopped instance ${name} to move it`);
    return;
  }
  const asked =
    container.status?.stoppedFor === undefined ? 'as spec.power asks' : 'for the maintenance of its node';
  const why = because === 'Restarting' ? 'to restart it' : asked;
  recordEvent(context, container, ['Normal', 'Stopped'], `Stopped instance ${name} ${why}`);
}

/** On shared storage its files go with the Container (`discard`), or stay: the daemon has nothing to delete. */
async function removeInstance(
  { host, storage }: ContainersContext,
  { container, seen }: ContainerFacts,
  signal: AbortSignal,
): Promise<void> {
  const name = instanceNameOf(container);
  const { uid = '' } = container.metadata;
  const isRootShared = typeof seen === 'object' && seen.isRootShared === true;
  if (isRootShared) await storage.forget(name, uid, signal);
  else await host.deleteInstance(name, uid, signal);
}

/** The last act: nothing of the container is on this host any more. */
async function release(context: ContainersContext, container: Container, signal: AbortSignal): Promise<void> {
  const { store, book, latest, guarded, storage } = context;
  const kept = await storage.discard(container, signal);
  if (kept !== undefined) recordEvent(context, container, ['Warning', 'DataKept'], `Not removed: ${kept}`);
  const { name, namespace, resourceVersion, finalizers, uid } = container.metadata;
  const rest = (finalizers ?? []).filter((finalizer) => finalizer !== HOST_FINALIZER);
  const body = { metadata: { resourceVersion, finalizers: rest } };
  const key = { name, ...(namespace === undefined ? {} : { namespace }) };
  try {
    latest.learn(await store.mergePatch<Container>(containerKind, key, { body }, signal));
  } catch (error) {
    if (!hasCode(error, 'NotFound')) throw error;
  }
  book.forget(keyOf(container));
  guarded.settle(keyOf(container));
  if (uid !== undefined) book.forgetEpoch(uid);
}

/** Wall clock, as records want it. */
export function nowOf({ clock }: Pick<ContainersContext, 'clock'>): Now {
  const ms = clock.nowMs();
  return { ms, iso: new Date(ms).toISOString() };
}

const RECOVERED = 'Goes on with its root on shared storage';

function instanceDefaults(
  { defaultNetwork, allowedConfig }: ContainersContext,
  found: { imageFingerprint: string; storage: StorageLayout },
) {
  return {
    ...found,
    allowedConfig,
    ...(defaultNetwork === undefined ? {} : { defaultNetwork }),
  };
}

function startMessage({ record }: ContainerFacts, name: string): string {
  return record.history.endedAtMs === undefined
    ? `Started instance ${name}`
    : `Started instance ${name} again, restart ${record.restarts + 1}`;
}
