import type { Container, ContainerSpec, ContainerStatus } from '../../src/crds/container.ts';
import type { DisruptionBudget, IntOrPercent } from '../../src/crds/disruption-budget.ts';
import { API_VERSION } from '../../src/crds/kind.ts';
import type { Node } from '../../src/crds/node.ts';
import { keyOf } from '../../src/crds/object.ts';
import type { MigrationLimitsPolicy } from '../../src/crds/rebalance.ts';
import { createDisruptions } from '../../src/plan/relocation/budgets.ts';
import type { FailedMove, RelocationFacts } from '../../src/plan/relocation/judge.ts';
import { createMoveLimits } from '../../src/plan/relocation/limits.ts';
import { type ActiveMove, activeMoves } from '../../src/plan/relocation/moves.ts';
import { createRoom } from '../../src/plan/relocation/room.ts';
import { container, storagePool } from './cluster-objects.ts';

/** What plans about moves look at, made from objects. */
export interface Surroundings {
  nodes: readonly Node[];
  containers: readonly Container[];
  budgets?: readonly DisruptionBudget[];
  limits?: MigrationLimitsPolicy;
  /** By the name of the container, in namespace `default`. */
  moving?: Readonly<Record<string, ActiveMove>>;
  failures?: Readonly<Record<string, FailedMove>>;
}

const PLENTY: MigrationLimitsPolicy = { outgoingPerNode: 100, incomingPerNode: 100, cluster: 1_000 };

export function relocationFacts(around: Surroundings): RelocationFacts {
  const { nodes, containers, budgets = [], limits = PLENTY, moving = {}, failures = {} } = around;
  const assumed = Object.entries(moving).map(([name, move]) => ({ key: `default/${name}`, ...move }));
  const moves = activeMoves(containers, [], assumed);
  const moveLimits = createMoveLimits(limits, moves.values());
  const room = createRoom({ nodes, pools: [storagePool()], containers }, moves, {
    lasting: () => undefined,
    mayEnter: (name) => moveLimits.mayEnter(name),
  });
  return {
    moves,
    limits: moveLimits,
    disruptions: createDisruptions(budgets, containers, moves),
    room,
    failureOf: (one) => failures[keyOf(one).replace('default/', '')],
  };
}

/** A container that runs, and is ready, on `nodeName`. */
export function running(
  name: string,
  nodeName: string,
  more: {
    spec?: Partial<ContainerSpec>;
    labels?: Record<string, string>;
    status?: Partial<ContainerStatus>;
  } = {},
): Container {
  const { spec = {}, labels, status = {} } = more;
  const made = container(name, { spec, metadata: labels === undefined ? {} : { labels } });
  return { ...made, status: { nodeName, epoch: 1, phase: 'Running', conditions: [READY], ...status } };
}

/** One that is off, as people want it. */
export function off(name: string, nodeName: string, spec: Partial<ContainerSpec> = {}): Container {
  const conditions = [{ ...READY, status: 'False' as const, reason: 'PoweredOff' }];
  return running(name, nodeName, {
    spec: { power: 'Stopped', ...spec },
    status: { phase: 'Stopped', conditions },
  });
}

const READY = {
  type: 'Ready',
  status: 'True' as const,
  reason: 'Running',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

export function budget(
  name: string,
  matchLabels: Record<string, string>,
  maxUnavailable: IntOrPercent,
): DisruptionBudget {
  return {
    apiVersion: API_VERSION,
    kind: 'DisruptionBudget',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1 },
    spec: { selector: { matchLabels }, maxUnavailable },
  };
}
