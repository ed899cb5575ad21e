import { describe, expect, it } from '@jest/globals';
// @ts-expect-error: a script without types of its own
import { findViolations } from '../../../scripts/arrows.mjs';

const check = findViolations as (sources: ReadonlyMap<string, string>) => string[];
const violationsOf = (path: string, text: string): string[] => check(new Map([[path, text]]));

describe('the arrows between folders', () => {
  it.each([
    [
      'a plan that knows an agent',
      'src/plan/a/x.ts',
      "import { y } from '../../agent/y.ts';",
      'may not know src/agent',
    ],
    ['a type alone', 'src/plan/x.ts', "import type { Y } from '../kube/y.ts';", 'may not know src/kube'],
    [
      'an import over several lines',
      'src/etcd/x.ts',
      "import {\n  y,\n} from '../kube/y.ts';",
      'may not know src/kube',
    ],
    ['what is exported again', 'src/crds/x.ts', "export * from '../ports/y.ts';", 'may not know src/ports'],
    ['a late import', 'src/kube/x.ts', "await import('../incus/y.ts')", 'may not know src/incus'],
    ['a plan that reads files', 'src/plan/x.ts', "import { readFileSync } from 'node:fs';", 'is pure'],
    [
      'siblings',
      'src/controllers/node/x.ts',
      "import { y } from '../placement/y.ts';",
      'never import each other',
    ],
    ['a folder that nobody knows', 'src/utils/x.ts', '', 'not a folder of the design'],
    ['tests in the product', 'src/kube/x.ts', "import { y } from '../../test/y.ts';", 'outside of src'],
  ])('refuse %s', (_, path, text, fault) => {
    expect(violationsOf(path, text).join()).toContain(fault);
  });

  it.each([
    ['a port', 'src/kube/x.ts', "import type { Y } from '../ports/y.ts';"],
    ['the same folder', 'src/kube/a/x.ts', "import { y } from '../y.ts';"],
    ['what all controllers share', 'src/controllers/node/x.ts', "import { y } from '../deps.ts';"],
    ['anything in a command', 'src/cmd/x.ts', "import { y } from '../etcd/y.ts';"],
  ])('allow %s', (_, path, text) => {
    expect(violationsOf(path, text)).toEqual([]);
  });
});
