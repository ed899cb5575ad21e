import type { ResourceRef } from '../../crds/object.ts';
import type { Registry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';

/** What is served, in the order in which discovery lists it: the basis of discovery and OpenAPI alike. */
export interface CatalogEntry extends ResourceRef {
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly string[];
  /** Sub-resources, by name, with their verbs. */
  subresources: ReadonlyMap<string, readonly string[]>;
  /** Absent for what is answered without being stored (reviews). */
  definition?: ResourceDefinition;
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'];

const review = (group: string, kind: string, resource: string): CatalogEntry => ({
  group,
  version: 'v1',
  kind,
  resource,
  namespaced: false,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: ['create'],
  subresources: new Map(),
});

/** Answered by endpoints/reviews.ts. */
const REVIEWS: readonly CatalogEntry[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews'),
  review('authorization.k8s.io', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
];

/** Answered by endpoints/services.ts. */
const SERVICES: CatalogEntry = {
  group: '',
  version: 'v1',
  kind: 'Service',
  resource: 'services',
  namespaced: true,
  singular: 'service',
  shortNames: [],
  categories: [],
  verbs: ['list'],
  subresources: new Map(),
};

/** Names of those below one object. */
export const subresourcesOf = ({ hasStatus, hasApproval = false }: ResourceDefinition): string[] => [
  ...(hasApproval ? ['approval'] : []),
  ...(hasStatus ? ['status'] : []),
];

export function catalogOf(registries: readonly Registry[]): CatalogEntry[] {
  const stored = registries.map(({ definition }): CatalogEntry => {
    const isServed = (verb: string): boolean => !(definition.unsupportedVerbs ?? []).includes(verb);
    const { group, version, kind, resource, namespaced, singular, shortNames, categories } = definition;
    return {
      group,
      version,
      kind,
      resource,
      namespaced,
      singular,
      shortNames,
      categories,
      verbs: VERBS.filter(isServed),
      subresources: new Map(
        subresourcesOf(definition).map((name) => [name, SUBRESOURCE_VERBS.filter(isServed)]),
      ),
      definition,
    };
  });
  return [...stored, SERVICES, ...REVIEWS];
}

export interface ApiGroup {
  name: string;
  /** The preferred one first. */
  versions: { version: string; entries: CatalogEntry[] }[];
}

/** The core group first, then the others by name. */
export function groupsOf(catalog: readonly CatalogEntry[]): ApiGroup[] {
  const groups = new Map<string, ApiGroup>();
  for (const entry of catalog) {
    const group = groups.get(entry.group) ?? { name: entry.group, versions: [] };
    groups.set(entry.group, group);
    const version = group.versions.find((one) => one.version === entry.version);
    if (version) version.entries.push(entry);
    else group.versions.push({ version: entry.version, entries: [entry] });
  }
  return [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
