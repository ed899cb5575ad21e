import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { type DriverTrial, never, startDriverTrial } from './driver-trial.ts';
import { begun, failed, sync } from './scripted-daemon.ts';

describe('images of a remote', () => {
  let trial: DriverTrial;
  let driver: HostDriver;
  let daemon: DriverTrial['daemon'];

  beforeEach(async () => {
    trial = await startDriverTrial();
    ({ driver, daemon } = trial);
  });
  afterEach(() => trial.stop());

  const reference = 'images:debian/12';

  it('are copied by the daemon, once for all who ask', async () => {
    daemon.answers.set('POST /1.0/images', begun('copy'));
    daemon.answers.set(
      'GET /1.0/operations/copy/wait',
      sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
    );
    daemon.answers.set('POST /1.0/images/aliases', sync(null));
    const found = await Promise.all([1, 2, 3].map(() => driver.ensureImage(reference, never)));
    expect(found).toEqual(['ff', 'ff', 'ff']);
    expect(daemon.requests.filter((request) => request === 'POST /1.0/images')).toHaveLength(1);
    expect(daemon.bodies[0]).toEqual({
      source: {
        type: 'image',
        mode: 'pull',
        server: 'https://images.example',
        protocol: 'simplestreams',
        alias: 'debian/12',
        image_type: 'container',
      },
    });
    expect(daemon.bodies[1]).toMatchObject({ description: reference, target: 'ff' });
  });

  it.each([
    ['has no such alias', "Failed getting image: The requested image couldn't be found", 'NotFound'],
    ['cannot be reached', 'Get "https://images.example/x": dial tcp: connection refused', 'Unavailable'],
  ])('whose server %s', async (_case, message, code) => {
    daemon.answers.set('POST /1.0/images', begun('copy'));
    daemon.answers.set('GET /1.0/operations/copy/wait', failed(400, message));
    await expect(driver.ensureImage(reference, never)).rejects.toMatchObject({ code });
  });

  it('stay with the image that the alias stood for when it was first asked for', async () => {
    daemon.answers.set('POST /1.0/images', begun('copy'));
    daemon.answers.set(
      'GET /1.0/operations/copy/wait',
      sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
    );
    daemon.answers.set('POST /1.0/images/aliases', sync(null));
    await driver.ensureImage(reference, never);
    const { name } = daemon.bodies[1] as { name: string };
    daemon.answers.set(
      `GET /1.0/images/aliases/${name}`,
      sync({ name, description: reference, target: 'ff' }),
    );
    daemon.requests.length = 0;
    expect(await driver.ensureImage(reference, never)).toBe('ff');
    expect(daemon.requests).toEqual([`GET /1.0/images/aliases/${name}`]);
  });
});
