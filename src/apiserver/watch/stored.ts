import type { KubeObject } from '../../crds/object.ts';
import type { StoredEvent, StoredObject } from '../registry/registry.ts';

/** Objects as the store and the watch cache have them. A version is parsed once and serialised once, whoever reads it. */

class Version implements StoredObject {
  readonly object: KubeObject;
  readonly resourceVersion: number;
  #json: Buffer | undefined;

  constructor(object: KubeObject, resourceVersion: number) {
    this.object = object;
    this.resourceVersion = resourceVersion;
  }

  json(): Buffer {
    this.#json ??= Buffer.from(JSON.stringify(this.object));
    return this.#json;
  }
}

/** A version of `object`; 0 (a dry run's creation) leaves it without a resourceVersion. */
export function versionOf(object: KubeObject, resourceVersion: number): StoredObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  const versioned =
    resourceVersion === 0 ? metadata : { ...metadata, resourceVersion: String(resourceVersion) };
  return new Version({ ...object, metadata: versioned }, resourceVersion);
}

/** The store's value of an object: JSON without the resourceVersion, which is the key's mod revision. */
export function encode(object: KubeObject): Buffer {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return Buffer.from(JSON.stringify({ ...object, metadata }));
}

/** @throws SyntaxError when the value is no object of ours */
export function decode(value: Buffer, modRevision: number): StoredObject {
  const object = JSON.parse(value.toString()) as KubeObject;
  if (typeof object?.metadata?.name !== 'string')
    throw new SyntaxError('a stored value has no metadata.name');
  return versionOf(object, modRevision);
}

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

const NEWLINE = Buffer.from('\n');
const END = Buffer.from('}');
const HEADS: Readonly<Record<ChangeType, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};

class ChangeEvent {
  readonly type: ChangeType;
  readonly stored: StoredObject;
  #frame: Buffer | undefined;

  constructor(type: ChangeType, stored: StoredObject) {
    this.type = type;
    this.stored = stored;
  }

  frame(): Buffer {
    this.#frame ??= Buffer.concat([HEADS[this.type], this.stored.json(), END, NEWLINE]);
    return this.#frame;
  }
}

export function eventOf(type: ChangeType, stored: StoredObject): StoredEvent {
  return new ChangeEvent(type, stored);
}
