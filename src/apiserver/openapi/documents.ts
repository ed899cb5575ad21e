import { type CatalogEntry, groupsOf } from '../discovery/catalog.ts';
import { type CachedDocument, cachedDocument } from '../discovery/documents.ts';
import { notAcceptable, parseAccept } from '../endpoints/accept.ts';
import { openApiV2 } from './v2.ts';
import { encodeOpenApiV2 } from './v2-protobuf.ts';
import { openApiV3 } from './v3.ts';

/** The OpenAPI documents by path: `/openapi/v3` (an index with hashes), one for each group and version, and `/openapi/v2`. */
export interface OpenApiDocuments {
  /** @throws ApiError 406 for a form that there is not. @returns undefined when there is no such path */
  find(path: string, accept: string | undefined): CachedDocument | undefined;
}

const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);

export function openApiDocuments(catalog: readonly CatalogEntry[], hostlerVersion: string): OpenApiDocuments {
  const v3 = new Map<string, CachedDocument>();
  for (const { name, versions } of groupsOf(catalog)) {
    for (const { version, entries } of versions) {
      const path = name === '' ? `api/${version}` : `apis/${name}/${version}`;
      v3.set(`/openapi/v3/${path}`, cachedDocument(openApiV3(entries, hostlerVersion)));
    }
  }
  v3.set('/openapi/v3', cachedDocument(indexOf(v3)));
  const v2 = lazily(() => openApiV2(catalog, hostlerVersion));
  const v2Json = lazily(() => cachedDocument(v2()));
  // The answer's own name has a dot where the request's has an at sign; clients do not look at it.
  const v2Protobuf = lazily(() => cachedDocument(encodeOpenApiV2(v2()), PROTOBUF_V2.replace('@', '.')));

  return {
    find(path, accept) {
      if (path !== '/openapi/v2') {
        const document = v3.get(path);
        if (document !== undefined && !accepts(accept, JSON_TYPES)) throw notAcceptable(['application/json']);
        return document;
      }
      for (const { type } of parseAccept(accept ?? '*/*')) {
        if (type === PROTOBUF_V2) return v2Protobuf();
        if (JSON_TYPES.has(type)) return v2Json();
      }
      throw notAcceptable(['application/json', PROTOBUF_V2]);
    },
  };
}

const accepts = (accept: string | undefined, types: ReadonlySet<string>): boolean =>
  parseAccept(accept ?? '*/*').some(({ type }) => types.has(type));

function indexOf(documents: ReadonlyMap<string, CachedDocument>): object {
  const paths = [...documents].map(([path, { hash }]) => {
    const name = path.slice('/openapi/v3/'.length);
    return [name, { serverRelativeURL: `${path}?hash=${hash}` }] as const;
  });
  return { paths: Object.fromEntries(paths) };
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
