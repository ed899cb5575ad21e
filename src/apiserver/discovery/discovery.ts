import { type ApiGroup, type CatalogEntry, groupsOf } from './catalog.ts';

/** Discovery documents: what groups, versions and resources there are, in the classic and in the aggregated form. */

const groupVersion = (group: string, version: string): string =>
  group === '' ? version : `${group}/${version}`;

/** The classic documents by path. `/api` and `/apis` are there, too. */
export function discoveryDocuments(catalog: readonly CatalogEntry[]): Map<string, object> {
  const groups = groupsOf(catalog);
  const documents = new Map<string, object>();
  const core = groups.find(({ name }) => name === '');
  documents.set('/api', {
    kind: 'APIVersions',
    versions: core?.versions.map(({ version }) => version) ?? [],
    serverAddressByClientCIDRs: [],
  });
  const named = groups.filter(({ name }) => name !== '');
  documents.set('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(groupDocument) });
  for (const group of named) {
    documents.set(`/apis/${group.name}`, { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) });
  }
  for (const { name, versions } of groups) {
    for (const { version, entries } of versions) {
      documents.set(`${name === '' ? '/api' : `/apis/${name}`}/${version}`, {
        kind: 'APIResourceList',
        ...(name === '' ? {} : { apiVersion: 'v1' }),
        groupVersion: groupVersion(name, version),
        resources: entries.flatMap(resourceDocuments),
      });
    }
  }
  return documents;
}

/** `APIGroupDiscoveryList`, which answers everything at once; `root` is `/api` or `/apis`. */
export function aggregatedDocument(
  catalog: readonly CatalogEntry[],
  root: '/api' | '/apis',
  discoveryVersion: string,
): object {
  const groups = groupsOf(catalog).filter(({ name }) => (name === '') === (root === '/api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${discoveryVersion}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: { name: name === '' ? undefined : name, creationTimestamp: null },
      versions: versions.map(({ version, entries }) => ({
        version,
        freshness: 'Current',
        resources: entries.map(aggregatedResource),
      })),
    })),
  };
}

function groupDocument({ name, versions }: ApiGroup): object {
  const listed = versions.map(({ version }) => ({ groupVersion: groupVersion(name, version), version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

function resourceDocuments(entry: CatalogEntry): object[] {
  const { resource, singular, namespaced, kind, verbs, shortNames, categories, subresources } = entry;
  const main = {
    name: resource,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  const below = [...subresources].map(([name, its]) => ({
    name: `${resource}/${name}`,
    singularName: '',
    namespaced,
    kind,
    verbs: its,
  }));
  return [main, ...below];
}

function subresourceDocuments({ group, version, kind, subresources }: CatalogEntry): object[] {
  const responseKind = { group, version, kind };
  return [...subresources].map(([subresource, verbs]) => ({ subresource, responseKind, verbs }));
}

function aggregatedResource(entry: CatalogEntry): object {
  const { group, version, kind, resource, singular, namespaced, verbs, shortNames, categories } = entry;
  const responseKind = { group, version, kind };
  return {
    resource,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(entry.subresources.size === 0 ? {} : { subresources: subresourceDocuments(entry) }),
  };
}
