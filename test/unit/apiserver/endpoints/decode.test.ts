import { describe, expect, it } from '@jest/globals';
import { configMapResource } from '../../../../src/apiserver/builtin/config-map.ts';
import { allDefinitions } from '../../../../src/apiserver/builtin/definitions.ts';
import { decodeBody, decodeObject, decodePatch } from '../../../../src/apiserver/endpoints/decode.ts';
import type { ResourceDefinition } from '../../../../src/apiserver/resource.ts';

const containers = allDefinitions().find(({ kind }) => kind === 'Container') as ResourceDefinition;
const body = (value: unknown): Buffer =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

describe('decodeObject', () => {
  it('takes an object of the kind', () => {
    const web = { apiVersion: 'hostler.dev/v1alpha1', kind: 'Container', metadata: { name: 'web' } };
    expect(decodeObject(body(web), 'application/json; charset=utf-8', containers)).toEqual({
      object: web,
      duplicateFields: [],
    });
  });

  it('a built-in kind may leave its type out', () => {
    expect(decodeObject(body({ data: {} }), undefined, configMapResource).object).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {},
      data: {},
    });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', "couldn't get version/kind; json parse error"],
    ['a list', [], 'must be of type Container'],
    ['no kind', { apiVersion: 'hostler.dev/v1alpha1' }, "Object 'Kind' is missing"],
    ['no version', { kind: 'Container' }, "Object 'apiVersion' is missing"],
    [
      'another version',
      { apiVersion: 'hostler.dev/v2', kind: 'Container' },
      'the API version in the data (hostler.dev/v2) does not match the expected API version (hostler.dev/v1alpha1)',
    ],
    [
      'another kind',
      { apiVersion: 'hostler.dev/v1alpha1', kind: 'Node' },
      'Node in version "v1alpha1" cannot be handled as a Container',
    ],
    [
      'metadata that is a text',
      { apiVersion: 'hostler.dev/v1alpha1', kind: 'Container', metadata: 'x' },
      'cannot unmarshal string into Go struct field Container.metadata',
    ],
    ['a tower of lists', `${'['.repeat(1000)}${']'.repeat(1000)}`, 'exceeded max depth'],
  ])('refuses %s', (_name, value, message) => {
    expect(() => decodeObject(body(value), 'application/json', containers)).toThrow(message);
  });

  it('refuses other media types', () => {
    expect(() => decodeObject(body('{}'), 'text/html', containers)).toThrow(
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  });
});

describe('YAML', () => {
  it('is read as kubectl reads it', () => {
    const text = 'on: yes\nat: 2026-01-01T00:00:00Z\nanchor: &a {x: 1}\nmerged: {<<: *a, z: 2}\n';
    expect(decodeBody(body(text), 'application/yaml').value).toEqual({
      true: true,
      at: '2026-01-01T00:00:00Z',
      anchor: { x: 1 },
      merged: { x: 1, z: 2 },
    });
  });

  it('finds repeated keys with their paths', () => {
    const text = 'a: 1\nl:\n- q: 1\n- q: 1\n  q: 2\na: 2\n';
    expect(decodeBody(body(text), 'application/yaml').duplicateFields).toEqual([
      'duplicate field "a"',
      'duplicate field "l[1].q"',
    ]);
  });

  it('refuses aliases that grow without end', () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 10; level++) {
      lines.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(',')}]`,
      );
    }
    expect(() => decodeBody(body(lines.join('\n')), 'application/yaml')).toThrow(/alias/i);
  });
});

describe('protobuf', () => {
  /** As kubectl 1.32 sent them. */
  const sent = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const configMap =
    '6b38 7300 0a0f 0a02 7631 1209 436f 6e66 6967 4d61 7012 1d0a 130a 0366 6f6f 1200 1a00 2200 2a00 3200 3800 4200 1206 0a01 6112 0162 1a00 2200';

  it('is read for built-in kinds', () => {
    expect(decodeBody(sent(configMap), 'application/vnd.kubernetes.protobuf').value).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'foo' },
      data: { a: 'b' },
    });
  });

  it.each([
    ['text', '7b7d', 'does not appear to be a protobuf message'],
    ['a cut message', configMap.slice(0, 60), 'unexpected EOF'],
    ['an unknown kind', '6b387300 0a07 0a0276 31 1201 58', 'no kind "X" is registered for version "v1"'],
  ])('refuses %s', (_name, hex, message) => {
    expect(() => decodeBody(sent(hex), 'application/vnd.kubernetes.protobuf')).toThrow(message);
  });
});

describe('decodePatch', () => {
  it.each([
    ['application/merge-patch+json', 'merge'],
    ['application/json-patch+json', 'json'],
  ])('%s', (type, expected) => {
    expect(decodePatch(body([]), type, containers).type).toBe(expected);
  });

  it('strategic merge patches are for built-in kinds', () => {
    const type = 'application/strategic-merge-patch+json';
    expect(decodePatch(body({}), type, configMapResource).type).toBe('strategic-merge');
    expect(() => decodePatch(body({}), type, containers)).toThrow(
      /unknown format - accepted media types include: application\/json-patch\+json, application\/merge-patch\+json$/,
    );
  });

  it('server-side apply is refused', () => {
    expect(() => decodePatch(body('a: 1'), 'application/apply-patch+yaml', containers)).toThrow(
      'server-side apply is not supported by this server',
    );
  });
});
