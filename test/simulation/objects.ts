import { API_VERSION, FENCED_BY_ANNOTATION } from '../../src/crds/kind.ts';
import type { Node } from '../../src/crds/node.ts';
import type { NodePlan } from './schedule.ts';

/** Nodes as the API holds them, as far as failover looks at them. */
export function newNode(name: string, { hasDevice }: NodePlan): Node {
  const fencing = hasDevice ? { fencing: { exec: { command: ['/bin/fence', name] } } } : {};
  return { apiVersion: API_VERSION, kind: 'Node', metadata: { name }, spec: fencing };
}

export function withWord(node: Node, operator: string): Node {
  const annotations = { ...node.metadata.annotations, [FENCED_BY_ANNOTATION]: operator };
  return { ...node, metadata: { ...node.metadata, annotations } };
}

export function withoutWord(node: Node): Node {
  const { [FENCED_BY_ANNOTATION]: _, ...annotations } = node.metadata.annotations ?? {};
  return { ...node, metadata: { ...node.metadata, annotations } };
}
