import type { Exchange } from '../http/exchange.ts';
import { methodNotSupported } from '../status.ts';
import { negotiate } from './accept.ts';
import type { ResourceRequest } from './request-info.ts';
import { type Headers, sendValue } from './respond.ts';

/**
 * The Services of a platform that has none: an empty list, and nothing else. `kubectl cluster-info` asks for them before it
 * says where the control plane is, and fails where the kind is unknown.
 * @throws ApiError 405 for every other verb
 */
export async function serveServices(
  exchange: Exchange,
  info: ResourceRequest,
  headers: Headers,
): Promise<boolean> {
  if (info.group !== '' || info.version !== 'v1' || info.resource !== 'services') return false;
  if (info.verb !== 'list') {
    throw methodNotSupported({ group: '', resource: 'services', kind: 'Service' }, info.verb);
  }
  const { encoding } = negotiate(exchange.header('accept'));
  const value = { kind: 'ServiceList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] };
  await sendValue(exchange, headers, { code: 200, value, format: { encoding } });
  return true;
}
