import { type Container, containerKind } from '../../crds/container.ts';
import { API_VERSION } from '../../crds/kind.ts';
import {
  type Migration,
  MIGRATION_FINALIZER,
  migrationKind,
  type MigrationMode,
} from '../../crds/migration.ts';
import { ownerReferenceTo } from '../../crds/object.ts';
import { type FailedMove, moveBackoffMs } from './judge.ts';
import { isFinished } from './moves.ts';

/** Why a controller has made a Migration; on it as labels. */
export interface Cause {
  kind: 'drain' | 'restore' | 'rebalance';
  /** The node that is emptied, filled again, or relieved. */
  node: string;
  /** metadata.generation of that node when it was asked for: a drain that is asked for anew is another one. 0: no matter. */
  generation: number;
}

export const CAUSE_LABEL = 'hostler.dev/cause';
export const CAUSE_NODE_LABEL = 'hostler.dev/cause-node';
export const CAUSE_GENERATION_LABEL = 'hostler.dev/cause-generation';
export const ATTEMPT_LABEL = 'hostler.dev/attempt';

/**
 * The Migration that moves `container`. Its name follows from what it is made from, so that two leaders, or one that has
 * no answer, never make two of it.
 * @param history the migrations of the container that there are
 */
export function migrationFor(
  container: Container,
  history: readonly Migration[],
  { cause, target, mode }: { cause: Cause; target: string; mode: MigrationMode | undefined },
): Migration {
  const { name, namespace = '', uid = '' } = container.metadata;
  const attempt = 1 + Math.max(0, ...history.filter((one) => isOf(one, cause)).map(attemptOf));
  const { kind, node, generation } = cause;
  const digest = digestOf([uid, kind, node, String(generation)].join('/'));
  return {
    apiVersion: API_VERSION,
    kind: migrationKind.kind,
    metadata: {
      name: `${name}-${kind}-${digest}-${attempt}`,
      namespace,
      labels: {
        [CAUSE_LABEL]: kind,
        [CAUSE_NODE_LABEL]: node,
        [CAUSE_GENERATION_LABEL]: String(generation),
        [ATTEMPT_LABEL]: String(attempt),
      },
      ownerReferences: [ownerReferenceTo(containerKind, container)],
      // As the migration controller would put it there, by a write of its own.
      finalizers: [MIGRATION_FINALIZER],
    },
    spec: { container: name, targetNode: target, ...(mode === undefined ? {} : { mode }) },
  };
}

export function isOf({ metadata }: Migration, { kind, node, generation }: Cause): boolean {
  const { labels } = metadata;
  return (
    labels?.[CAUSE_LABEL] === kind &&
    labels[CAUSE_NODE_LABEL] === node &&
    labels[CAUSE_GENERATION_LABEL] === String(generation)
  );
}

/**
 * The failures in a row of `cause`, up to now.
 * @param sinceEndMs milliseconds since a migration ended
 * @returns undefined when the last one did not fail
 */
export function failureOf(
  history: readonly Migration[],
  cause: Cause,
  sinceEndMs: (migration: Migration) => number,
): FailedMove | undefined {
  const ended = history
    .filter((one) => isOf(one, cause) && isFinished(one))
    .sort((a, b) => attemptOf(b) - attemptOf(a));
  const row = ended.slice(
    0,
    indexOrAll(ended, ({ status }) => status?.phase === 'Succeeded'),
  );
  const [last] = row;
  if (last === undefined) return undefined;
  const attempts = row.length;
  return { attempts, message: messageOf(last), retryAfterMs: moveBackoffMs(attempts) - sinceEndMs(last) };
}

function messageOf({ status }: Migration): string {
  if (status?.phase === 'Cancelled') return 'somebody cancelled it';
  const said = status?.conditions?.find(({ type }) => type === 'Succeeded');
  return said === undefined ? 'it is not known why' : said.message || said.reason;
}

function attemptOf({ metadata }: Migration): number {
  const attempt = Number(metadata.labels?.[ATTEMPT_LABEL]);
  return Number.isSafeInteger(attempt) ? attempt : 0;
}

function indexOrAll<T>(items: readonly T[], isMeant: (item: T) => boolean): number {
  const index = items.findIndex(isMeant);
  return index < 0 ? items.length : index;
}

/** FNV-1a, 32 bits, as eight letters and digits. */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
