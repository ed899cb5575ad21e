import { stringify } from 'yaml';
import { kinds } from './kinds.ts';
import { crdManifest } from './manifest.ts';

const HEAD = '# Generated from src/crds by: npm run generate\n';

/** The files of manifests/crds/, by name: one for each kind, and what `kubectl apply -k` needs. */
export function crdFiles(): Map<string, string> {
  const files = new Map(
    kinds.map((kind) => {
      const manifest = crdManifest(kind);
      const text = stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false });
      return [`${manifest.metadata.name}.yaml`, `${HEAD}${text}`];
    }),
  );
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [...files.keys()],
  };
  return files.set('kustomization.yaml', `${HEAD}${stringify(kustomization)}`);
}
