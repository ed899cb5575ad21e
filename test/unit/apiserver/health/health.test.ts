import { describe, expect, it } from '@jest/globals';
import { type HealthCheck, rememberFor, serveHealth } from '../../../../src/apiserver/health/health.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { fakeExchange } from '../../../support/fake-exchange.ts';

const well: HealthCheck = { name: 'ping', isLiveness: true, check: () => Promise.resolve() };
const ill: HealthCheck = {
  name: 'etcd',
  isLiveness: false,
  check: () => Promise.reject(new Error('no answer')),
};

async function ask(
  path: string,
  checks: HealthCheck[],
  options: { query?: string; showsReasons?: boolean } = {},
) {
  const exchange = fakeExchange({ target: path });
  const isServed = await serveHealth(
    exchange,
    {
      path,
      query: new URLSearchParams(options.query ?? ''),
      headers: {},
      showsReasons: options.showsReasons ?? false,
    },
    checks,
  );
  return { isServed, code: exchange.answer?.status, text: exchange.answer?.text };
}

describe('health', () => {
  it.each<[string, HealthCheck[], number, string, string]>([
    ['/readyz', [well], 200, 'ok', ''],
    ['/readyz', [well], 200, '[+]ping ok\nreadyz check passed\n', 'verbose'],
    ['/readyz', [well, ill], 500, '[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n', ''],
    ['/readyz', [well, ill], 200, 'ok', 'exclude=etcd'],
    ['/livez', [well, ill], 200, 'ok', ''],
    ['/healthz', [well, ill], 500, '[+]ping ok\n[-]etcd failed: reason withheld\nhealthz check failed\n', ''],
    ['/readyz/ping', [well, ill], 200, 'ok', ''],
    ['/readyz/etcd', [well, ill], 500, '[-]etcd failed: reason withheld\nreadyz check failed\n', ''],
    ['/readyz/else', [well], 404, '404 page not found\n', ''],
  ])('%s with %#', async (path, checks, code, text, query) => {
    expect(await ask(path, checks, { query })).toEqual({ isServed: true, code, text });
  });

  it('says why to administrators', async () => {
    expect((await ask('/readyz', [ill], { showsReasons: true })).text).toContain('[-]etcd failed: no answer');
  });

  it.each(['/', '/readyzz', '/api'])('leaves %s alone', async (path) => {
    expect(await ask(path, [well])).toEqual({ isServed: false, code: undefined, text: undefined });
  });
});

it('a remembered check asks once in its time', async () => {
  const clock = createFakeClock();
  let asked = 0;
  const check = rememberFor(() => Promise.resolve(void asked++), 1_000, clock);
  await Promise.all([check(), check()]);
  await clock.advance(999);
  await check();
  expect(asked).toBe(1);
  await clock.advance(1);
  await check();
  expect(asked).toBe(2);
});
