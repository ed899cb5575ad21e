import { type ClusterPolicy, clusterPolicyKind } from '../crds/cluster-policy.ts';
import { type Container, containerKind } from '../crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import { type ConfigMap, configMapRef, MEMBERS_CONFIG_MAP } from '../crds/lease.ts';
import { type Node, nodeKind } from '../crds/node.ts';
import { type StoragePool, storagePoolKind } from '../crds/storage-pool.ts';
import { createInformer, type Informer } from '../reconcile/informer.ts';
import { createTrigger } from '../reconcile/source.ts';
import type { AgentDeps, AgentOptions } from './agent.ts';
import { createCertificateRenewal } from './certificate/renewal.ts';
import { createFailures } from './containers/failures.ts';
import { knownKeys } from './containers/sync.ts';
import { createBook } from './state/book.ts';
import { createSavingReport } from './state/saving-report.ts';

export interface Informers {
  containers: Informer<Container>;
  nodes: Informer<Node>;
  pools: Informer<StoragePool>;
  members: Informer<ConfigMap>;
  policies: Informer<ClusterPolicy>;
}

/** What the parts have in common: what is known, and how they wake each other. */
export function createCore(options: AgentOptions, deps: AgentDeps) {
  const { nodeName } = options;
  const informers = createInformers(options, deps);
  const nodeTrigger = createTrigger();
  const wakeNode = (): void => nodeTrigger.enqueue(nodeName);
  const saving = createSavingReport({ ...deps, nodeName, onChange: wakeNode });
  const book = createBook({ ...deps, nodeName, file: deps.desiredState, onSaving: saving.note });
  const renewal = createCertificateRenewal({
    ...deps,
    nodeName,
    certificate: deps.certificate,
    onChange: wakeNode,
  });
  const containerTrigger = createTrigger();
  const wake = (key: string): void => containerTrigger.enqueue(key);
  return {
    informers,
    book,
    renewal,
    reports: { saving: () => saving.verdict(), certificate: () => renewal.verdict() },
    failures: createFailures(deps.clock),
    nodeTrigger,
    containerTrigger,
    wakeNode,
    wake,
    wakeAll: (instances: readonly { name: string }[]) => {
      for (const key of knownKeys(book, informers.containers, instances)) wake(key);
    },
  };
}

export type Core = ReturnType<typeof createCore>;

function createInformers({ nodeName }: AgentOptions, deps: AgentDeps): Informers {
  const fieldSelector = `status.nodeName=${nodeName}`;
  return {
    containers: createInformer<Container>({ ...deps, ref: containerKind, fieldSelector }),
    nodes: createInformer<Node>({ ...deps, ref: nodeKind, fieldSelector: `metadata.name=${nodeName}` }),
    pools: createInformer<StoragePool>({ ...deps, ref: storagePoolKind }),
    policies: createInformer<ClusterPolicy>({ ...deps, ref: clusterPolicyKind }),
    members: createInformer<ConfigMap>({
      ...deps,
      ref: configMapRef,
      namespace: NODE_LEASE_NAMESPACE,
      fieldSelector: `metadata.name=${MEMBERS_CONFIG_MAP}`,
    }),
  };
}
