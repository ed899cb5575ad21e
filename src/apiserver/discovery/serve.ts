import type { Headers } from '../endpoints/respond.ts';
import { negotiate } from '../endpoints/accept.ts';
import type { Exchange } from '../http/exchange.ts';
import { openApiDocuments, type OpenApiDocuments } from '../openapi/documents.ts';
import type { Registry } from '../registry/registry.ts';
import { noSuchPath } from '../status.ts';
import { type CatalogEntry, catalogOf } from './catalog.ts';
import { aggregatedDocument, discoveryDocuments } from './discovery.ts';
import { aggregatedVersion, type CachedDocument, cachedDocument, sendCached } from './documents.ts';
import { versionDocument } from './version.ts';

/** Serves /api, /apis, /openapi and /version from what the registries serve, made again only when that changes. */
export interface DiscoveryEndpoint {
  /** @returns whether `path` is one of its own. @throws ApiError 404 below its own prefixes, 406 */
  serve(exchange: Exchange, path: string, headers: Headers): Promise<boolean>;
}

interface Documents {
  registries: readonly Registry[];
  classic: Map<string, CachedDocument>;
  aggregated: Map<string, CachedDocument>;
  openApi: OpenApiDocuments;
}

export function createDiscovery(all: () => readonly Registry[], hostlerVersion: string): DiscoveryEndpoint {
  const version = cachedDocument(versionDocument(hostlerVersion));
  let documents: Documents | undefined;

  const current = (): Documents => {
    const registries = all();
    if (documents !== undefined && isSame(documents.registries, registries)) return documents;
    documents = buildDocuments(registries, hostlerVersion);
    return documents;
  };

  return {
    async serve(exchange, rawPath, headers) {
      const path = rawPath.length > 1 ? rawPath.replace(/\/+$/, '') : rawPath;
      const document = findDocument(exchange, path, { version, current });
      if (document === undefined) return false;
      await sendCached(exchange, headers, document);
      return true;
    },
  };
}

function findDocument(
  exchange: Exchange,
  path: string,
  from: { version: CachedDocument; current: () => Documents },
): CachedDocument | undefined {
  const accept = exchange.header('accept');
  if (path === '/version') return from.version;
  if (path === '/openapi' || path.startsWith('/openapi/')) {
    const document = from.current().openApi.find(path, accept);
    if (document === undefined) throw noSuchPath();
    return document;
  }
  if (!/^\/apis?(\/|$)/.test(path)) return undefined;
  const { aggregated, classic } = from.current();
  const version = aggregatedVersion(accept);
  if (version !== undefined) {
    const document = aggregated.get(`${path} ${version}`);
    if (document !== undefined) return document;
  }
  const document = classic.get(path);
  if (document === undefined) throw noSuchPath();
  negotiate(accept);
  return document;
}

function buildDocuments(registries: readonly Registry[], hostlerVersion: string): Documents {
  const catalog = catalogOf(registries);
  const classic = new Map(
    [...discoveryDocuments(catalog)].map(([path, document]) => [path, cachedDocument(document)] as const),
  );
  return {
    registries,
    classic,
    aggregated: aggregatedDocuments(catalog),
    openApi: openApiDocuments(catalog, hostlerVersion),
  };
}

function aggregatedDocuments(catalog: readonly CatalogEntry[]): Map<string, CachedDocument> {
  const documents = new Map<string, CachedDocument>();
  for (const root of ['/api', '/apis'] as const) {
    for (const version of ['v2', 'v2beta1']) {
      const mediaType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      documents.set(
        `${root} ${version}`,
        cachedDocument(aggregatedDocument(catalog, root, version), mediaType),
      );
    }
  }
  return documents;
}

const isSame = (a: readonly Registry[], b: readonly Registry[]): boolean =>
  a.length === b.length && a.every((registry, position) => registry === b[position]);
