import type { KubeObject, ResourceRef } from './object.ts';

/** A core Secret, as far as migrations and fencing devices use it. */
export interface Secret extends KubeObject {
  type?: string;
  /** By key, in base64. */
  data?: Record<string, string>;
}

export const secretRef: ResourceRef = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  resource: 'secrets',
  namespaced: true,
};
