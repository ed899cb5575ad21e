import { createHash } from 'node:crypto';
import {
  type CertificateSigningRequest,
  certificateSigningRequestRef,
  NODE_SIGNER,
  NODE_USAGES,
  requestPrefix,
  SHORTEST_SECONDS,
  type SigningCondition,
} from '../../crds/certificate-signing-request.ts';
import { API_VERSION } from '../../crds/kind.ts';
import { nodeKind } from '../../crds/node.ts';
import { apiVersionOf } from '../../crds/object.ts';
import { endsSoon, pauseAfterMs, renewAtMs, retryAfterMs } from '../../plan/certificates/renewal.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import { hasCode, HostlerError, messageOf } from '../../ports/errors.ts';
import type { EventRecorder } from '../../ports/event-recorder.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { CertificateDraft, CertificateLife, OwnCertificate } from '../../ports/own-certificate.ts';
import type { Runnable } from '../../reconcile/runnable.ts';

/**
 * Renews the agent's certificate well before its end: asks the API for the next one under the present one, and takes it up
 * while everything goes on. A request is named by its key, so that one whose reply was lost is found again.
 */
export interface CertificateRenewalDeps {
  nodeName: string;
  /** Absent: it is not the agent that renews it. */
  certificate: OwnCertificate | undefined;
  store: Pick<ObjectStore, 'get' | 'create'>;
  events: EventRecorder;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** The verdict is another one. */
  onChange: () => void;
}

export interface CertificateRenewal extends Runnable {
  /** Why the certificate, which ends soon, is not renewed; empty: it does not end soon; undefined: not known yet. */
  verdict(): CertificateVerdict | undefined;
}

export interface CertificateVerdict {
  fault?: string;
}

/** Wall clocks are set and machines sleep, so nothing is waited for longer than this without another look. */
const LOOK_MS = 3_600_000;
const QUICK_POLL_MS = 250;
const QUICK_FOR_MS = 30_000;
const SLOW_POLL_MS = 15_000;

export function createCertificateRenewal(deps: CertificateRenewalDeps): CertificateRenewal {
  return new Renewal(deps);
}

interface Pending {
  draft: CertificateDraft;
  /** On the monotonic clock. */
  sinceMs: number;
}

class Renewal implements CertificateRenewal {
  readonly name = 'certificate';
  readonly #deps: CertificateRenewalDeps;
  #pending: Pending | undefined;
  #verdict: CertificateVerdict | undefined;

  constructor(deps: CertificateRenewalDeps) {
    this.#deps = deps;
  }

  verdict(): CertificateVerdict | undefined {
    return this.#verdict;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { certificate, clock } = this.#deps;
    let waitMs = 0;
    while (await sleep(clock, Math.min(waitMs, LOOK_MS), signal)) {
      waitMs = certificate === undefined ? LOOK_MS : await this.#look(certificate, signal);
    }
  }

  /** @returns how long to wait until the next look */
  async #look(certificate: OwnCertificate, signal: AbortSignal): Promise<number> {
    const { clock, logger, metrics } = this.#deps;
    let life: CertificateLife | undefined;
    try {
      life = await certificate.facts();
      if (life === undefined) return LOOK_MS;
      metrics.set('hostler_certificate_expiry_seconds', life.notAfterMs / 1_000, { certificate: 'agent' });
      const early = renewAtMs(life, life.fingerprint) - clock.nowMs();
      if (early <= 0) return await this.#renew(certificate, life, signal);
      this.#settle();
      return early;
    } catch (error) {
      if (signal.aborted) return LOOK_MS;
      logger.warn({ error: messageOf(error) }, 'the certificate was not renewed');
      metrics.count('hostler_certificate_renewals_total', { result: 'failed' });
      if (life === undefined) return SLOW_POLL_MS;
      this.#tell(life, messageOf(error));
      return retryAfterMs(life, clock.nowMs());
    }
  }

  async #renew(certificate: OwnCertificate, life: CertificateLife, signal: AbortSignal): Promise<number> {
    const { clock } = this.#deps;
    this.#pending ??= { draft: await certificate.draft(), sinceMs: clock.monotonicMs() };
    const { draft, sinceMs } = this.#pending;
    const request = await this.#ensureRequest(draft, life, signal);
    const { conditions = [], certificate: issued } = request.status ?? {};
    const refusal = conditions.find(({ type }) => type === 'Denied' || type === 'Failed');
    if (refusal !== undefined) throw this.#refused(refusal);
    if (issued === undefined) return this.#waitOn(request.metadata.name, life, sinceMs);
    this.#pending = undefined;
    await certificate.take(draft, Buffer.from(issued, 'base64').toString('utf8'));
    this.#taken();
    return pauseAfterMs(life);
  }

  /** The next attempt is one with another key. */
  #refused({ type, reason = '', message = '' }: SigningCondition): HostlerError {
    this.#pending = undefined;
    return new HostlerError('Forbidden', `the request was ${type.toLowerCase()}: ${message || reason}`);
  }

  #waitOn(name: string, life: CertificateLife, sinceMs: number): number {
    if (this.#deps.clock.monotonicMs() - sinceMs < QUICK_FOR_MS) return QUICK_POLL_MS;
    this.#tell(life, `nobody has approved it: kubectl certificate approve ${name}`);
    return SLOW_POLL_MS;
  }

  async #ensureRequest(
    draft: CertificateDraft,
    life: CertificateLife,
    signal: AbortSignal,
  ): Promise<CertificateSigningRequest> {
    const { nodeName, store } = this.#deps;
    const request = requestFor(nodeName, draft, life);
    const { name } = request.metadata;
    const read = (): Promise<CertificateSigningRequest | undefined> =>
      store.get<CertificateSigningRequest>(certificateSigningRequestRef, { name }, signal);
    const found = await read();
    if (found !== undefined) return found;
    try {
      return await store.create(certificateSigningRequestRef, request, signal);
    } catch (error) {
      if (!hasCode(error, 'AlreadyExists')) throw error;
      return (await read()) ?? request;
    }
  }

  #taken(): void {
    const { logger, metrics, events } = this.#deps;
    logger.info({}, 'the certificate was renewed');
    metrics.count('hostler_certificate_renewals_total', { result: 'renewed' });
    events.record(this.#node(), 'Normal', 'CertificateRenewed', 'The certificate of the agent is renewed');
    this.#settle();
  }

  /** By whoever it was renewed. From then on the Node's condition, which an agent before this one may have set, says so. */
  #settle(): void {
    const before = this.#verdict;
    if (before !== undefined && before.fault === undefined) return;
    this.#verdict = {};
    this.#deps.onChange();
  }

  /** Only what is left to do by people, while there is time for it, is news. */
  #tell(life: CertificateLife, fault: string): void {
    const { clock, events, onChange } = this.#deps;
    if (!endsSoon(life, clock.nowMs())) return;
    const end = new Date(life.notAfterMs).toISOString();
    const message = `The certificate of the agent ends at ${end} and is not renewed: ${fault}`;
    if (this.#verdict?.fault === message) return;
    this.#verdict = { fault: message };
    events.record(this.#node(), 'Warning', 'CertificateEndsSoon', message);
    onChange();
  }

  #node() {
    return { apiVersion: API_VERSION, kind: nodeKind.kind, name: this.#deps.nodeName };
  }
}

/** For as long as the present one: that was somebody's choice. */
function requestFor(
  nodeName: string,
  { id, requestPem }: CertificateDraft,
  { notBeforeMs, notAfterMs }: CertificateLife,
): CertificateSigningRequest {
  const short = createHash('sha256').update(id).digest('hex').slice(0, 10);
  const seconds = Math.round((notAfterMs - notBeforeMs) / 1_000);
  return {
    apiVersion: apiVersionOf(certificateSigningRequestRef),
    kind: certificateSigningRequestRef.kind,
    metadata: { name: `${requestPrefix(nodeName)}${short}` },
    spec: {
      request: Buffer.from(requestPem).toString('base64'),
      signerName: NODE_SIGNER,
      usages: [...NODE_USAGES],
      expirationSeconds: Math.max(seconds, SHORTEST_SECONDS),
    },
  };
}
