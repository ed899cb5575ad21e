import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseImageReference } from '../../src/incus/image-reference.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { HostDriver } from '../../src/ports/host-driver.ts';
import type { FakeDaemon } from './fake-daemon.ts';
import { unavailable } from './fake-host-events.ts';

/** Images, as the fake host has them: files, and what a test says that there is. */

export interface FakeImages {
  driver: Pick<HostDriver, 'ensureImage' | 'listImages'>;
  has: (fingerprint: string) => boolean;
}

export function fakeImages({ call, host }: FakeDaemon): FakeImages {
  /** Fingerprints, by the references under which they were asked for. */
  const imported = new Map<string, string>();
  return {
    driver: {
      ensureImage: (reference, signal) =>
        call('ensureImage', reference, signal, async () => {
          const fingerprint = await resolveImage(reference, host().images);
          imported.set(reference, fingerprint);
          return fingerprint;
        }),
      listImages: (signal) =>
        call('listImages', '', signal, () =>
          [...imported].map(([reference, fingerprint]) => ({ reference, fingerprint })),
        ),
    },
    has: (fingerprint) => [...imported.values()].includes(fingerprint),
  };
}

async function resolveImage(reference: string, images: ReadonlyMap<string, string>): Promise<string> {
  const known = images.get(reference);
  if (known !== undefined) return known;
  const parsed = parseImageReference(reference);
  if (parsed.from === 'url') throw unavailable(`${parsed.url} cannot be reached`);
  if (parsed.from === 'remote') throw new HostlerError('NotFound', `no remote ${parsed.remote}`);
  try {
    return createHash('sha256')
      .update(await readFile(parsed.path))
      .digest('hex');
  } catch (cause) {
    throw new HostlerError('NotFound', `no image file ${parsed.path}`, { cause });
  }
}
