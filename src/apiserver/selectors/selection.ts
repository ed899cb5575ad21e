import type { KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { type FieldSelector, matchesFields, parseFieldSelector } from './field-selector.ts';
import { type LabelSelector, matchesLabels, parseLabelSelector } from './label-selector.ts';

/** Which objects of a resource a list or a watch is about. */
export interface Selection {
  namespace: string | undefined;
  labels: LabelSelector;
  fields: FieldSelector;
}

/** @throws ApiError 400 when a selector is malformed or not supported */
export function parseSelection(
  query: { namespace?: string; labelSelector?: string; fieldSelector?: string },
  definition: ResourceDefinition,
): Selection {
  return {
    namespace: query.namespace,
    labels: parseLabelSelector(query.labelSelector ?? ''),
    fields: parseFieldSelector(query.fieldSelector ?? '', definition),
  };
}

export function isSelected({ namespace, labels, fields }: Selection, object: KubeObject): boolean {
  return (
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesLabels(labels, object.metadata.labels) &&
    matchesFields(fields, object)
  );
}

/** Whether every object of the namespace is selected. */
export const selectsAll = ({ labels, fields }: Selection): boolean =>
  labels.length === 0 && fields.length === 0;
