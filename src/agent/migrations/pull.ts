import type { Container } from '../../crds/container.ts';
import type { Migration } from '../../crds/migration.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import { bytesOf } from '../../crds/quantity.ts';
import { HostlerError, messageOf } from '../../ports/errors.ts';
import type { TransferProgress, TransferResult } from '../../ports/host-transfer.ts';
import { specOf } from '../containers/actions.ts';
import { type MigrationsContext, writeReport } from './context.ts';
import { readOffer } from './secret.ts';

const PROGRESS_MS = 1_000;

/** Fetches one pass. Only the daemon of the node that is the source is believed, by the certificate that its Node says. */
export async function pull(
  context: MigrationsContext,
  {
    migration,
    container,
    pass,
    live,
  }: { migration: Migration; container: Container; pass: number; live: boolean },
  signal: AbortSignal,
): Promise<TransferResult> {
  const { store, host } = context;
  const { source = '' } = migration.status ?? {};
  const [offered, node, spec] = await Promise.all([
    readOffer(store, migration, signal),
    store.get<Node>(nodeKind, { name: source }, signal),
    specOf(context, container, signal),
  ]);
  if (offered?.pass !== pass) throw new HostlerError('NotFound', `Pass ${pass} is not on offer`);
  const { address, certificate } = node?.status?.migration ?? {};
  if (address === undefined || certificate === undefined) {
    throw new HostlerError('Unavailable', `Node ${source} does not say how its daemon is reached`);
  }
  const { bandwidth } = migration.spec;
  const progress = createProgress(context, migration, { isShown: migration.status?.final !== true });
  const result = await host.pullTransfer(
    {
      spec,
      migration: migration.metadata.uid ?? '',
      from: { address, certificate },
      offer: offered.offer,
      live,
      ...(bandwidth === undefined ? {} : { bandwidthBytesPerSecond: bytesOf(bandwidth) }),
    },
    (now) => progress.say(now, pass === 1 ? offered.offer.totalBytes : undefined, signal),
    signal,
  );
  await progress.last;
  return result;
}

/**
 * At most one write a second, the first after a second, and one at a time; none of them holds up the pass. The last pass is too
 * short for any.
 */
function createProgress(context: MigrationsContext, migration: Migration, { isShown }: { isShown: boolean }) {
  const { clock, logger } = context;
  let saidMs = clock.monotonicMs();
  let isWriting = false;
  const progress = {
    last: Promise.resolve() as Promise<unknown>,
    say({ bytes, bytesPerSecond }: TransferProgress, total: number | undefined, signal: AbortSignal): void {
      const nowMs = clock.monotonicMs();
      if (!isShown || isWriting || nowMs - saidMs < PROGRESS_MS) return;
      saidMs = nowMs;
      isWriting = true;
      const known = total === undefined || total <= 0 ? {} : { total, percent: percentOf(bytes, total) };
      const status = {
        progress: { total: null, percent: null, bytes, rate: Math.round(bytesPerSecond), ...known },
      };
      progress.last = writeReport(context, migration, status, signal)
        .catch((error: unknown) => {
          logger.debug({ migration: keyOf(migration), error: messageOf(error) }, 'progress not told');
        })
        .finally(() => {
          isWriting = false;
        });
    },
  };
  return progress;
}

function percentOf(bytes: number, total: number): number {
  return Math.min(100, Math.floor((bytes * 100) / total));
}
