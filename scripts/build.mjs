// Bundles src/cmd into dist/ (scripts/lib/bundle.mjs).
import { readdirSync, rmSync } from 'node:fs';
import { bundle } from './lib/bundle.mjs';

const outputs = await bundle({ root: process.cwd(), outdir: 'dist' });
// What earlier builds left, only now: a process that still runs from them loses nothing it has not loaded.
const written = new Set(outputs.map((path) => path.replace('dist/', '')));
for (const name of readdirSync('dist')) {
  if (!written.has(name)) rmSync(`dist/${name}`, { recursive: true });
}
