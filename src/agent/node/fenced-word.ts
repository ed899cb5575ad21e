import { FENCED_BY_ANNOTATION } from '../../crds/kind.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { operatorOf } from '../../plan/failover/standing.ts';
import type { Logger } from '../../ports/logger.ts';
import type { ObjectStore } from '../../ports/object-store.ts';

export interface FencedWordDeps {
  nodeName: string;
  store: Pick<ObjectStore, 'get' | 'mergePatch'>;
  logger: Logger;
}

/**
 * Before an agent renews its lease for the first time, it takes back an operator's word that its host is off: that was said of the time
 * before. A leader that has not acted on it yet would believe it when the host falls silent the next time.
 * @returns resolves at once when it was done already; rejects when the word may still be there
 */
export function createFencedWordCheck({
  nodeName,
  store,
  logger,
}: FencedWordDeps): (signal: AbortSignal) => Promise<void> {
  let isDone = false;
  return async (signal) => {
    if (isDone) return;
    const node = await store.get<Node>(nodeKind, { name: nodeName }, signal);
    const operator = operatorOf(node);
    if (node !== undefined && operator !== undefined) {
      const { resourceVersion } = node.metadata;
      const body = { metadata: { resourceVersion, annotations: { [FENCED_BY_ANNOTATION]: null } } };
      await store.mergePatch(nodeKind, { name: nodeName }, { body }, signal);
      logger.warn({ operator }, 'took back the word that this host is off');
    }
    isDone = true;
  };
}
