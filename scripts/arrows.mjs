// Checks the arrows between the folders of src (docs/design/0001-architecture.md): `npm run arrows`. dependency-cruiser would be
// the tool for this, but it cannot read TypeScript with the compiler that this project uses, and then finds nothing.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What each folder may import besides itself. */
const allowed = {
  crds: [],
  config: [],
  plan: ['crds'],
  ports: ['crds'],
  telemetry: ['ports'],
  reconcile: ['ports', 'crds'],
  controllers: ['reconcile', 'plan', 'ports', 'crds'],
  agent: ['reconcile', 'plan', 'ports', 'crds'],
  guard: ['ports', 'plan', 'crds'],
  peers: ['ports', 'crds'],
  fencing: ['ports', 'crds'],
  incus: ['ports', 'crds'],
  simhost: ['ports', 'crds'],
  etcd: ['ports', 'crds'],
  kube: ['ports', 'crds'],
  apiserver: ['ports', 'crds'],
};
/** Folders that nothing of the machine may reach: no clock, no files, no network. */
const pure = ['plan', 'crds'];
/** Packages that the pure folders use all the same. */
const purePackages = ['typebox', 'ajv', 'yaml'];

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;

/**
 * @param {ReadonlyMap<string, string>} sources text by path, `src/plan/x.ts`
 * @returns {string[]} one line for each arrow that is not allowed
 */
export function findViolations(sources) {
  const violations = [];
  for (const [path, text] of sources) {
    const [, folder = '', sub = ''] = path.split('/');
    if (folder === 'cmd') continue;
    if (!(folder in allowed)) {
      violations.push(
        `${path}: src/${folder} is not a folder of the design; its arrows belong into scripts/arrows.mjs`,
      );
      continue;
    }
    for (const [, target = ''] of text.matchAll(IMPORT)) {
      const fault = faultOf({ path, folder, sub, target });
      if (fault !== undefined) violations.push(`${path}: imports ${target}: ${fault}`);
    }
  }
  return violations;
}

function faultOf({ path, folder, sub, target }) {
  if (!target.startsWith('.')) {
    const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : target.split('/')[0];
    if (pure.includes(folder) && !purePackages.includes(name)) return `src/${folder} is pure`;
    return undefined;
  }
  const [root, to = '', toSub = ''] = normalize(join(dirname(path), target)).split('/');
  if (root !== 'src') return 'outside of src';
  if (to !== folder) return allowed[folder].includes(to) ? undefined : `src/${folder} may not know src/${to}`;
  const isSibling =
    folder === 'controllers' && sub !== toSub && !sub.endsWith('.ts') && !toSub.endsWith('.ts');
  return isSibling ? 'controllers never import each other' : undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const paths = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const sources = new Map(paths.map((path) => [`src/${path}`, readFileSync(join('src', path), 'utf8')]));
  const violations = findViolations(sources);
  for (const violation of violations) console.error(violation);
  console.log(`${sources.size} files, ${violations.length} arrows that are not allowed`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
