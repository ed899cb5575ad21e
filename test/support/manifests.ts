import { stringify } from 'yaml';

/** Objects that the kubectl tests apply. */

/** A Container in `namespace`; `spec` is added to or put in place of the defaults. */
export function container(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, ...metadata },
    spec: { image: 'images:debian/12', ...spec },
  };
}

export const configMap = (name: string, data: Record<string, string>, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

export const pool = (name: string, spec: object = {}): object => ({
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name },
  spec: { driver: 'dir', ...spec },
});

/** Several documents in one file. */
export const documents = (...objects: object[]): string =>
  objects.map((object) => stringify(object)).join('---\n');
