import { ApiError } from '../status.ts';

/** In which form the client wants the answer. */
export interface Format {
  encoding: 'json' | 'yaml';
  /** `as=Table` and `as=PartialObjectMetadata`; `as=PartialObjectMetadataList` is the same for lists. */
  as?: 'Table' | 'PartialObjectMetadata';
  /** `v1` or `v1beta1` of meta.k8s.io. */
  version: string;
}

const ENCODINGS: Record<string, Format['encoding']> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/yaml': 'yaml',
  'text/yaml': 'yaml',
};
const META_VERSIONS = new Set(['v1', 'v1beta1']);

interface Clause {
  type: string;
  parameters: ReadonlyMap<string, string>;
}

/**
 * The first form of the Accept header that this server has; JSON without one. Protobuf and CBOR are passed over, so they
 * are refused only when nothing else is accepted.
 * @throws ApiError 406
 */
export function negotiate(accept: string | undefined): Format {
  if (accept === undefined || accept.trim() === '') return { encoding: 'json', version: 'v1' };
  for (const { type, parameters } of parseAccept(accept)) {
    const encoding = ENCODINGS[type];
    if (encoding === undefined) continue;
    const as = parameters.get('as');
    const version = parameters.get('v') ?? 'v1';
    if (as === undefined || as === '') return { encoding, version };
    if (parameters.get('g') !== 'meta.k8s.io' || !META_VERSIONS.has(version)) continue;
    if (as === 'Table') return { encoding, as, version };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { encoding, as: 'PartialObjectMetadata', version };
    }
  }
  throw notAcceptable(['application/json', 'application/yaml']);
}

/** The clauses in the order of preference: by q, then as they stand. */
export function parseAccept(accept: string): Clause[] {
  const clauses = accept.split(',').map((text, position) => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim());
    const parameters = new Map(
      rest.map((part) => {
        const [name = '', value = ''] = part.split('=', 2);
        return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')] as const;
      }),
    );
    const quality = Number(parameters.get('q') ?? '1');
    return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality, position };
  });
  return clauses
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .sort((a, b) => b.quality - a.quality || a.position - b.position);
}

export const notAcceptable = (types: readonly string[]): ApiError =>
  new ApiError(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
