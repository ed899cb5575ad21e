import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '../../../src/ports/logger.ts';
import { startTelemetryServer, type TelemetryServer } from '../../../src/telemetry/http.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

let server: TelemetryServer | undefined;
afterEach(() => server?.close());

async function start({ fault, deadly }: { fault?: string; deadly?: string } = {}): Promise<string> {
  server = await startTelemetryServer({
    listen: '127.0.0.1:0',
    metrics: createMetrics(),
    checks: [{ name: 'informers', check: () => fault }],
    liveness: [{ name: 'loop', check: () => deadly }],
    logger: silentLogger,
  });
  return server.url;
}

describe('the telemetry server', () => {
  it.each([
    ['ready when all is well', '/readyz', {}, 200, '[+]loop ok\n[+]informers ok\nok\n'],
    ['not ready, and says why', '/readyz', { fault: 'not synced' }, 500, '[-]informers failed: not synced'],
    ['alive while it is not ready', '/livez', { fault: 'not synced' }, 200, '[+]loop ok\nok\n'],
    ['not alive when a liveness check fails', '/healthz', { deadly: 'stuck' }, 500, '[-]loop failed: stuck'],
    ['lost on other paths', '/else', {}, 404, 'not found'],
  ])('is %s', async (_, path, faults: { fault?: string; deadly?: string }, status, text) => {
    const response = await fetch(`${await start(faults)}${path}`);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(text);
  });

  it('serves the metrics as Prometheus reads them', async () => {
    const response = await fetch(`${await start()}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain('# TYPE hostler_workqueue_depth gauge');
  });

  it('refuses other methods, and an address that is none', async () => {
    expect((await fetch(`${await start()}/metrics`, { method: 'POST' })).status).toBe(405);
    const options = { metrics: createMetrics(), checks: [], logger: silentLogger };
    await expect(startTelemetryServer({ ...options, listen: 'nowhere' })).rejects.toThrow('nowhere');
  });
});
