import { hasCode } from '../ports/errors.ts';
import type { Reconcile } from '../reconcile/controller.ts';

/** `reconcile`, for which an object that vanishes during the pass is no failure: there is nothing left to do for it. */
export function untilGone(reconcile: Reconcile): Reconcile {
  return async (key, signal) => {
    try {
      return await reconcile(key, signal);
    } catch (error) {
      if (hasCode(error, 'NotFound')) return {};
      throw error;
    }
  };
}
