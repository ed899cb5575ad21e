import type { Fencing } from '../crds/node.ts';

/** Switches hosts off from outside, where nothing else proves that they have stopped (src/fencing). */
export interface Fencer {
  /**
   * Resolves only once the host is off for certain, or was already. Idempotent.
   * @throws Timeout, Unavailable, Forbidden or Invalid when that could not be confirmed: then it may be off all the same
   */
  fence(node: string, fencing: Fencing, signal: AbortSignal): Promise<void>;
}
