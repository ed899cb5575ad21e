import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle } from '../../scripts/lib/bundle.mjs';
import type { Breakage } from './breakages.ts';
import { clockShim } from './wall-clock.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The whole program, built from the sources into a folder of its own, so that it can be broken on purpose. */
export interface Product {
  /** `bin/hostler` */
  hostler: string;
  remove(): void;
}

/** With wall clocks that can be set. @throws Error when the code that a breakage changes is not there any more */
export async function buildProduct(breakage?: Breakage): Promise<Product> {
  const directory = mkdtempSync(join(tmpdir(), 'hostler-faults-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    mkdirSync(join(directory, 'bin'));
    // It looks for the rest next to where it really lies.
    copyFileSync(join(ROOT, 'bin/hostler'), join(directory, 'bin/hostler'));
    for (const name of ['node_modules', 'package.json', 'scripts']) {
      symlinkSync(join(ROOT, name), join(directory, name));
    }
    const plugins = breakage === undefined ? [] : [breaking(breakage)];
    const dist = join(directory, 'dist');
    await bundle({ root: ROOT, outdir: dist, plugins });
    renameSync(join(dist, 'hostler.mjs'), join(dist, 'program.mjs'));
    writeFileSync(join(dist, 'hostler.mjs'), clockShim('./program.mjs'));
  } catch (error) {
    remove();
    throw error;
  }
  return { hostler: join(directory, 'bin/hostler'), remove };
}

function breaking({ name, changes }: Breakage): Plugin {
  const left = new Set(changes.map(({ file }) => file));
  return {
    name: `broken on purpose: ${name}`,
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = relative(ROOT, path);
        const own = changes.filter((change) => change.file === file);
        if (own.length === 0) return undefined;
        left.delete(file);
        let contents = readFileSync(path, 'utf8');
        for (const { from, to } of own) {
          if (contents.split(from).length !== 2) {
            throw new Error(`Cannot break ${file} on purpose (${name}): it must have exactly one '${from}'`);
          }
          contents = contents.replace(from, () => to);
        }
        return { contents, loader: 'ts' };
      });
      build.onEnd(() => {
        if (left.size > 0) throw new Error(`Cannot break ${[...left].join(', ')}: not part of the program`);
      });
    },
  };
}
