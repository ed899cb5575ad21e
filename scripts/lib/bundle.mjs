import { build } from 'esbuild';

/** Bundles src/cmd: one file starts three times as fast as some two hundred stripped ones. What a sub-command needs is in a file of
 * its own, loaded when it is called. @returns the paths that were written */
export async function bundle({ root, outdir, plugins = [] }) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/cmd/hostler.ts', 'src/cmd/kubectl-hostler.ts'],
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'part-[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    sourcemap: true,
    metafile: true,
    // etcd3 and pino read files next to their own sources, so every package stays outside of the bundle.
    packages: 'external',
    plugins,
  });
  return Object.keys(metafile.outputs);
}
