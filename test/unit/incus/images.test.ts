import { describe, expect, it } from '@jest/globals';
import { never, driverTrials } from './driver-trial.ts';
import { begun, failed, sync } from './scripted-daemon.ts';

describe('images of a remote', () => {
  const trial = driverTrials();

  const reference = 'images:debian/12';

  it('are copied by the daemon, once for all who ask', async () => {
    trial.daemon.answers.set('POST /1.0/images', begun('copy'));
    trial.daemon.answers.set(
      'GET /1.0/operations/copy/wait',
      sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
    );
    trial.daemon.answers.set('POST /1.0/images/aliases', sync(null));
    const found = await Promise.all([1, 2, 3].map(() => trial.driver.ensureImage(reference, never)));
    expect(found).toEqual(['ff', 'ff', 'ff']);
    expect(trial.daemon.requests.filter((request) => request === 'POST /1.0/images')).toHaveLength(1);
    expect(trial.daemon.bodies[0]).toEqual({
      source: {
        type: 'image',
        mode: 'pull',
        server: 'https://images.example',
        protocol: 'simplestreams',
        alias: 'debian/12',
        image_type: 'container',
      },
    });
    expect(trial.daemon.bodies[1]).toMatchObject({ description: reference, target: 'ff' });
  });

  it.each([
    ['has no such alias', "Failed getting image: The requested image couldn't be found", 'NotFound'],
    ['cannot be reached', 'Get "https://images.example/x": dial tcp: connection refused', 'Unavailable'],
  ])('whose server %s', async (_case, message, code) => {
    trial.daemon.answers.set('POST /1.0/images', begun('copy'));
    trial.daemon.answers.set('GET /1.0/operations/copy/wait', failed(400, message));
    await expect(trial.driver.ensureImage(reference, never)).rejects.toMatchObject({ code });
  });

  it('stay with the image that the alias stood for when it was first asked for', async () => {
    trial.daemon.answers.set('POST /1.0/images', begun('copy'));
    trial.daemon.answers.set(
      'GET /1.0/operations/copy/wait',
      sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
    );
    trial.daemon.answers.set('POST /1.0/images/aliases', sync(null));
    await trial.driver.ensureImage(reference, never);
    const { name } = trial.daemon.bodies[1] as { name: string };
    trial.daemon.answers.set(
      `GET /1.0/images/aliases/${name}`,
      sync({ name, description: reference, target: 'ff' }),
    );
    trial.daemon.requests.length = 0;
    expect(await trial.driver.ensureImage(reference, never)).toBe('ff');
    expect(trial.daemon.requests).toEqual([`GET /1.0/images/aliases/${name}`]);
  });
});
