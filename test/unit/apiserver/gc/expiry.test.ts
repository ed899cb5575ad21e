import { afterEach, describe, expect, it } from '@jest/globals';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { type ApiFixture, configMap, type Loose, startApi } from '../../../support/registries.ts';

let api: ApiFixture;
afterEach(() => api.stop());

describe('events', () => {
  it('are removed an hour after they were last seen, and nothing else is', async () => {
    const clock = createFakeClock();
    api = await startApi({ clock });
    const event: Loose = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: { namespace: 'default', kind: 'Container', name: 'web' },
    };
    await api.create('events', event);
    await api.create('configmaps', configMap('stays'));
    await clock.advance(59 * 60_000);
    expect((await api.list('events', { resourceVersion: '0' })).items).toHaveLength(1);
    await clock.advance(2 * 60_000);
    await api.eventually(async () =>
      (await api.list('events', { resourceVersion: '0' })).items.length === 0 ? true : undefined,
    );
    expect(await api.get('configmaps', 'stays')).toBeDefined();
  });
});
