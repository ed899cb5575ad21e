import type { Clock } from '../../ports/clock.ts';
import type { Restriction } from '../auth/authorizer.ts';
import type { UserInfo } from '../auth/user.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Call, ObjectName, Registry } from '../registry/registry.ts';
import type { Format } from './accept.ts';
import type { ResourceRequest } from './request-info.ts';
import type { Headers } from './respond.ts';

/** One authorized request for a resource that is served, on its way through the endpoints. */
export interface ResourceContext {
  exchange: Exchange;
  info: ResourceRequest;
  registry: Registry;
  user: UserInfo;
  format: Format;
  pretty: boolean;
  /** Aborted when the client has gone, at the request's deadline, and for a watch when the server stops. */
  signal: AbortSignal;
  call: Call;
  clock: Clock;
  restriction: Restriction | undefined;
  /** Headers of the answer; warnings given until now are among them. */
  headers: () => Headers;
}

/** The object that the URL names; only for requests that name one. */
export function objectNameOf({ info }: ResourceContext): ObjectName {
  const name = info.name as string;
  return info.namespace === undefined || info.resource === 'namespaces'
    ? { name }
    : { name, namespace: info.namespace };
}
