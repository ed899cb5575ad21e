import type { Container, ContainerSpec } from '../../../../src/crds/container.ts';
import { HOST_FINALIZER } from '../../../../src/crds/kind.ts';
import type { ObjectMeta } from '../../../../src/crds/object.ts';
import type { ContainerFacts } from '../../../../src/plan/lifecycle/container.ts';
import { type ContainerRecord, newRecord, type SeenInstance } from '../../../../src/plan/lifecycle/record.ts';
import { container } from '../../../support/cluster-objects.ts';

export const NODE = 'host-1';
export const NOW_MS = 1_000_000;

/** A container on NODE with epoch 2 and generation 1. */
export function placed(
  spec: Partial<ContainerSpec> = {},
  metadata: Partial<ObjectMeta> = {},
  status: Partial<NonNullable<Container['status']>> = {},
): Container {
  const object = container('web', { spec, metadata: { finalizers: [HOST_FINALIZER], ...metadata } });
  return { ...object, status: { nodeName: NODE, epoch: 2, phase: 'Scheduled', ...status } };
}

/** Its instance, as it was made for `placed()`. */
export function instance(more: Partial<SeenInstance> = {}): SeenInstance {
  return {
    name: 'web--default',
    mark: { uid: 'uid-web', epoch: 2, generation: 1 },
    status: 'Running',
    lastStartedAt: '2026-01-01T00:00:00Z',
    lastStartedAtMs: NOW_MS - 60_000,
    ...more,
  };
}

export function record(more: Partial<ContainerRecord> = {}): ContainerRecord {
  return { ...newRecord(placed()), power: 'Running', startedAt: '2026-01-01T00:00:00Z', ...more };
}

export function facts(more: Partial<ContainerFacts> = {}): ContainerFacts {
  return {
    container: placed(),
    nodeName: NODE,
    highestEpoch: 2,
    source: 'api',
    seen: instance(),
    record: record(),
    forbiddenConfig: [],
    cause: 'a',
    nowMs: NOW_MS,
    ...more,
  };
}
