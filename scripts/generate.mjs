// Writes what is generated from the kinds in src/crds: manifests/crds/*.yaml and docs/reference/*.md. Unit tests compare;
// run after a change.
import { mkdir, writeFile } from 'node:fs/promises';
import { crdFiles } from '../src/crds/files.ts';
import { referenceFiles } from './reference.mjs';

async function writeAll(folder, files) {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(new URL(name, folder), text);
}

await writeAll(new URL('../manifests/crds/', import.meta.url), crdFiles());
await writeAll(new URL('../docs/reference/', import.meta.url), referenceFiles());
