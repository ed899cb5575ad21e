import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { type Bench, never } from './harness.ts';

export function imageContract(get: () => Bench): void {
  describe('images', () => {
    it('imports a file once, by its SHA-256, however many ask at once', async () => {
      const { driver, image } = get();
      const digest = createHash('sha256')
        .update(await readFile(fileURLToPath(image)))
        .digest('hex');
      const found = await Promise.all(Array.from({ length: 5 }, () => driver.ensureImage(image, never)));
      expect(new Set(found)).toEqual(new Set([digest]));
      expect(await driver.listImages(never)).toContainEqual({ reference: image, fingerprint: digest });
    });

    it('keeps every reference under which one image was asked for', async () => {
      const { driver, image, directory } = get();
      const copy = join(directory, 'copy.tar.gz');
      await copyFile(fileURLToPath(image), copy);
      const reference = pathToFileURL(copy).href;
      const [first, second] = await Promise.all([
        driver.ensureImage(image, never),
        driver.ensureImage(reference, never),
      ]);
      expect(second).toBe(first);
      const references = (await driver.listImages(never)).map((found) => found.reference);
      expect(references).toEqual(expect.arrayContaining([image, reference]));
    });

    it.each([
      ['a file that is not there', 'file:///no/such/image.tar.gz', 'NotFound'],
      ['a remote that is not known', 'nowhere:debian/12', 'NotFound'],
      ['what is no reference', 'debian', 'Invalid'],
      ['https without a checksum', 'https://images.example/a.tar.gz', 'Invalid'],
      [
        'a server that cannot be reached',
        `https://127.0.0.1:9/a.tar.gz#sha256=${'0'.repeat(64)}`,
        'Unavailable',
      ],
    ])('refuses %s', async (_case, reference, code) => {
      await expect(get().driver.ensureImage(reference, never)).rejects.toMatchObject({ code });
    });
  });
}
