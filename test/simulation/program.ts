import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A change of the sources that only one program gets. A text that is not in the sources, or twice, fails the build. */
export interface Patch {
  /** From the root of the repository. */
  file: string;
  from: string;
  to: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The simulation with the product's state machines, as one program for worker threads: there it runs several times as fast as
 * in a test runner, whose modules see their globals through a proxy.
 */
export async function buildProgram(patches: readonly Patch[] = []): Promise<string> {
  const open = new Set(patches);
  const { outputFiles } = await build({
    entryPoints: [`${root}test/simulation/worker.ts`],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'patches',
        setup(bundling) {
          bundling.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
            const mine = patches.filter(({ file }) => file === relative(root, path));
            let contents = await readFile(path, 'utf8');
            for (const patch of mine) {
              contents = patched(contents, patch);
              open.delete(patch);
            }
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  const [unused] = open;
  if (unused !== undefined) throw new Error(`${unused.file} is no part of the simulation`);
  return outputFiles[0]?.text ?? '';
}

function patched(contents: string, { file, from, to }: Patch): string {
  const parts = contents.split(from);
  if (parts.length !== 2) throw new Error(`In ${file} there is ${parts.length - 1} times, not once: ${from}`);
  return parts.join(to);
}
