import { containerKind } from '../../crds/container.ts';
import { API_VERSION } from '../../crds/kind.ts';
import { stopGraceMs } from '../../plan/lifecycle/container.ts';
import { planOrphan } from '../../plan/lifecycle/orphan.ts';
import { parseContainerKey } from './keys.ts';
import type { Instance } from '../../ports/host-driver.ts';
import type { ReconcileResult } from '../../reconcile/controller.ts';
import type { ContainersContext } from './context.ts';
import { letGoOf } from './let-go.ts';
import { seenOf } from './seen.ts';

/**
 * Deals with an instance that carries our mark while its Container is not, or not this very one, among those assigned to
 * this node. It is stopped and deleted only after a fresh read of the API has succeeded and proved that it may go.
 */
const LOOK_AGAIN_MS = 10_000;
const CACHE_LAG_MS = 500;
const DEFAULT_GRACE_MS = 30_000;

/** @returns without `requeueAfterMs`: nothing of it is left */
export function orphanReconciler(context: ContainersContext) {
  const { host, cluster, book, nodeName, logger } = context;

  return async (key: string, signal: AbortSignal): Promise<ReconcileResult> => {
    // To keep needs no proof; an old view of a migration keeps it for longer, and its end has the container looked at.
    if (context.moving.keeps(key)) return { requeueAfterMs: LOOK_AGAIN_MS };
    const ref = parseContainerKey(key);
    const instance = ref && (await host.getInstance(ref.instance, signal));
    const mark = instance?.mark;
    if (ref === undefined || instance === undefined || mark === undefined) {
      forget(context, key);
      context.guarded.settle(key);
      return {};
    }
    const { namespace, name } = ref;
    const { container, verdict } = await cluster.readFresh({ namespace, name }, signal);
    const isSame = container?.metadata.uid === mark.uid;
    const freshEpoch = isSame ? (container.status?.epoch ?? 0) : 0;
    const highestEpoch = book.raiseEpoch(mark.uid, Math.max(mark.epoch, freshEpoch));
    const incoming = instance.incoming === undefined ? {} : { incoming: instance.incoming };
    const decision = planOrphan({
      mark,
      ...incoming,
      nodeName,
      highestEpoch,
      container,
      cluster: verdict,
    });
    if (decision.do === 'keep') {
      if (decision.reason === 'Migrating' && container !== undefined) {
        const note = letGoOf(container, seenOf(instance), highestEpoch);
        if (note !== undefined) context.letGo.note(key, note);
      }
      logger.debug({ container: key, reason: decision.reason }, 'instance is kept');
      return { requeueAfterMs: decision.reason === 'Assigned' ? CACHE_LAG_MS : LOOK_AGAIN_MS };
    }
    logger.info({ container: key, uid: mark.uid, reason: decision.reason }, 'instance is removed');
    await remove(context, key, instance, mark.uid, signal);
    context.guarded.settle(key);
    record(context, ref, mark.uid, decision.reason);
    if (decision.reason === 'Deleted') book.forgetEpoch(mark.uid);
    return {};
  };
}

/** Forgotten first, on the disk too, so that an agent that starts in between does not start it again. */
async function remove(
  context: ContainersContext,
  key: string,
  instance: Instance,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  const { host, book, storage } = context;
  const known = book.get(key);
  const isKnown = known?.container.metadata.uid === uid;
  const graceMs = isKnown ? stopGraceMs(known.container) : DEFAULT_GRACE_MS;
  if (isKnown) forget(context, key);
  await book.save();
  if (instance.incoming !== undefined) {
    if (instance.status === 'Running') await host.stopInstance(instance.name, 0, signal);
    await host.dropTransfer(instance.name, instance.incoming, signal);
    return;
  }
  if (instance.status !== 'Stopped') await host.stopInstance(instance.name, graceMs, signal);
  // Its files are another host's by now, or were dealt with where it was deleted.
  if (instance.isRootShared === true) await storage.forget(instance.name, uid, signal);
  else await host.deleteInstance(instance.name, uid, signal);
}

function forget({ book, failures, letGo }: ContainersContext, key: string): void {
  letGo.forget(key);
  book.forget(key);
  failures.forget(key);
}

function record(
  { events, nodeName }: ContainersContext,
  { namespace, name, instance }: { namespace: string; name: string; instance: string },
  uid: string,
  reason: 'Deleted' | 'Reassigned',
): void {
  const why = reason === 'Deleted' ? 'its Container is gone' : 'its Container is placed on another node';
  const about = { apiVersion: API_VERSION, kind: containerKind.kind, namespace, name, uid };
  events.record(about, 'Normal', 'Removed', `Removed instance ${instance} from ${nodeName}: ${why}`);
}
