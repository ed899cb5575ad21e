import { clusterPolicyKind } from './cluster-policy.ts';
import { containerKind } from './container.ts';
import { disruptionBudgetKind } from './disruption-budget.ts';
import type { KindDefinition } from './kind.ts';
import { migrationKind } from './migration.ts';
import { nodeKind } from './node.ts';
import { storagePoolKind } from './storage-pool.ts';

/** Every kind of Hostler, in the order in which manifests/crds/ and the API reference list them. */
export const kinds: readonly KindDefinition[] = [
  nodeKind,
  storagePoolKind,
  containerKind,
  clusterPolicyKind,
  migrationKind,
  disruptionBudgetKind,
];
