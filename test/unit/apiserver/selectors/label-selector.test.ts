import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { matchesLabels, parseLabelSelector } from '../../../../src/apiserver/selectors/label-selector.ts';

const labels = { app: 'web', tier: 'front', size: '5', empty: '', 'example.com/x': 'y' };

describe('label selectors', () => {
  it.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    [' app = web , tier != back ', true],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (web, db)', true],
    ['app notin (web,db)', false],
    ['other notin (web)', true],
    ['app', true],
    ['!app', false],
    ['!other', true],
    ['size>4', true],
    ['size<4', false],
    ['app>4', false],
    ['empty=', true],
    ['empty in (,a)', true],
    ['example.com/x=y', true],
    ['toString', false],
    ['in=1', false],
  ])('%s: %s', (selector, expected) => {
    expect(matchesLabels(parseLabelSelector(selector), labels)).toBe(expected);
  });

  it.each([
    ['app in', "unable to parse requirement: found '' expected: '('"],
    ['app in (a', "unable to parse requirement: found '', expected: ',', or ')'"],
    ['app=a b', "unable to parse requirement: found 'b', expected: ',' or 'end of string'"],
    ['a,', "unable to parse requirement: found '', expected: identifier after ','"],
    ['=a', "unable to parse requirement: found '=', expected: identifier"],
    ['app foo', "unable to parse requirement: found 'foo', expected: in, notin, =, ==, !=, gt, lt"],
    ['app=-', 'unable to parse requirement: values[0][app]: Invalid value: "-": a valid label must be'],
    ['-a=b', 'unable to parse requirement: key: Invalid value: "-a": name part must consist of'],
    [
      'a>b',
      "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ])('%s is refused', (selector, message) => {
    expect(() => parseLabelSelector(selector)).toThrow(message);
  });

  it('end for every text, with requirements or with a refusal', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '=', '!', '(', ')', ',', ' ', 'in', '<', '\n') }),
        (text) => {
          let outcome: string;
          try {
            outcome = parseLabelSelector(text).length >= 0 ? 'parsed' : '';
          } catch (error) {
            outcome = (error as Error).name;
          }
          expect(['parsed', 'ApiError']).toContain(outcome);
        },
      ),
    );
  });
});
