import type { ObjectReference } from '../crds/object.ts';

/**
 * Writes Kubernetes Events about an object for `kubectl describe`. Fire and forget: repeats are counted up on one Event,
 * a full queue drops the oldest, and a failure to write is logged and never disturbs the caller.
 */
export interface EventRecorder {
  record(about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void;
}
