import { describe, expect, it } from '@jest/globals';
import { matchesFields, parseFieldSelector } from '../../../../src/apiserver/selectors/field-selector.ts';
import { evaluateJsonPath } from '../../../../src/apiserver/selectors/json-path.ts';
import { container } from '../../../support/registries.ts';

const custom = { isCustom: true, selectableFields: ['status.nodeName', 'spec.unschedulable'] };
const object = { ...container('web', { metadata: { namespace: 'default' } }), status: { nodeName: 'h1' } };

describe('field selectors', () => {
  it.each([
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web,metadata.namespace!=other', true],
    ['status.nodeName!=h1', false],
    ['spec.unschedulable=', true],
    ['metadata.name=a\\,b', false],
  ])('%s: %s', (selector, expected) => {
    expect(matchesFields(parseFieldSelector(selector, custom), object)).toBe(expected);
  });

  it.each([
    ['spec.image=x', 'field label not supported: spec.image'],
    ['metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
    ['metadata.name=a=b', 'invalid field selector'],
    ['metadata.name=a\\x', 'invalid field selector'],
  ])('%s is refused', (selector, message) => {
    expect(() => parseFieldSelector(selector, custom)).toThrow(message);
  });
});

describe('JSON paths', () => {
  const value = {
    a: { b: 1, 'c.d': 2, "it's": 3 },
    list: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
    names: ['x', 'y'],
  };
  it.each([
    ['.a.b', [1]],
    ['{.a.b}', [1]],
    ['.a.c\\.d', [2]],
    [".a['c.d']", [2]],
    ['.names[0]', ['x']],
    ['.names[-1]', ['y']],
    ['.names[7]', []],
    ['.names[*]', ['x', 'y']],
    ['.list[?(@.type=="Ready")].status', ['True']],
    [".list[?(@.type=='Other')].status", ['False']],
    ['.list[?(@.type!="Ready")].type', ['Other']],
    ['.list[*].type', ['Ready', 'Other']],
    ['.nothing.here', []],
    ['.toString', []],
    ['.', [value]],
  ])('%s', (path, expected) => {
    expect(evaluateJsonPath(value, path)).toEqual(expected);
  });

  it.each(['.a[', '.a[?(@.b=="x"]', '.a[x]'])('%s is refused', (path) => {
    expect(() => evaluateJsonPath(value, path)).toThrow(SyntaxError);
  });
});
