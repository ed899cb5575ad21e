import type { CertificateSigningRequest, SigningCondition } from '../../crds/certificate-signing-request.ts';
import {
  certificateSigningRequestRef,
  NODE_SIGNER,
  RENEWAL_ANNOTATION,
  requestPrefix,
} from '../../crds/certificate-signing-request.ts';
import { GROUP } from '../../crds/kind.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { Clock } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { NODE_USER_PREFIX } from '../auth/user.ts';
import { WorkQueue } from '../gc/work-queue.ts';
import { beginOf, type CertificateAuthority, certify } from '../pki/certificates.ts';
import { readSigningRequest, type SigningRequest } from '../pki/signing-request.ts';
import type { Served } from '../registry/served.ts';
import { timestamp } from '../registry/strategy.ts';
import { approvalFault, isOurs, lifeSeconds, signingFault } from './rules.ts';

/**
 * Approves and signs what CertificateSigningRequests ask for (rules.ts). Each API server does so with the key that all of
 * them have; what one has written, another leaves as it is.
 */
export interface SignerOptions {
  served: readonly Served[];
  /** @throws Error when there is none */
  authority: () => Promise<CertificateAuthority>;
  clock: Clock;
  logger: Logger;
}

const WORKERS = 2;

export class CertificateSigner {
  readonly #options: SignerOptions;
  readonly #queue: WorkQueue;
  readonly #requests: Served | undefined;
  readonly #nodes: Served | undefined;

  constructor(options: SignerOptions) {
    const { served, clock, logger } = options;
    const find = (group: string, resource: string): Served | undefined =>
      served.find(({ definition }) => definition.group === group && definition.resource === resource);
    this.#options = options;
    this.#requests = find(certificateSigningRequestRef.group, certificateSigningRequestRef.resource);
    this.#nodes = find(GROUP, 'nodes');
    this.#queue = new WorkQueue({
      clock,
      workers: WORKERS,
      work: (name, signal) => this.#decide(name, signal),
      onFailure: (name, error) =>
        logger.warn({ request: name, err: error }, 'A certificate was not signed; it is tried again'),
    });
    this.#requests?.cache.listen(({ after }) => {
      if (after !== undefined) this.#queue.add(after.object.metadata.name);
    });
    this.#nodes?.cache.listen(({ before, after }) => {
      if (after !== undefined && renewalOf(before?.object) !== renewalOf(after.object))
        this.#lookAgain(after.object.metadata.name);
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  /** At what was asked for before there was the Node, or while it said that a person decides. */
  #lookAgain(node: string): void {
    const waiting = this.#requests?.cache.list({ namespace: undefined, labels: [], fields: [] }) ?? [];
    for (const { object } of waiting) {
      if (object.metadata.name.startsWith(requestPrefix(node))) this.#queue.add(object.metadata.name);
    }
  }

  async #decide(name: string, signal: AbortSignal): Promise<void> {
    const requests = this.#requests;
    const request = requests?.cache.get(requests.cache.prefix + name)?.object as
      | CertificateSigningRequest
      | undefined;
    if (requests === undefined || request === undefined || !isOurs(request) || isDecided(request)) return;
    const outcome = await this.#outcomeOf(request);
    if (outcome === undefined) return;
    const isMeant = (object: KubeObject): boolean =>
      object.metadata.uid === request.metadata.uid && !isDecided(object as CertificateSigningRequest);
    await requests.registry.rewrite(
      { name },
      (object) => (isMeant(object) ? withOutcome(object as CertificateSigningRequest, outcome) : object),
      signal,
    );
    this.#options.logger.info(
      { request: name, outcome: outcome.conditions.at(-1)?.type },
      'decided about a certificate',
    );
  }

  /** Undefined: a person is to decide. */
  async #outcomeOf(request: CertificateSigningRequest): Promise<Outcome | undefined> {
    const { clock, logger } = this.#options;
    const asked = readSigningRequest(request.spec.request);
    const isApproved = hasCondition(request, 'Approved');
    const why = isApproved ? undefined : approvalFault(request, asked, this.#nodeOf(asked));
    if (why !== undefined) {
      logger.info({ request: request.metadata.name, why }, 'a person is to approve a certificate');
      return undefined;
    }
    const now = timestamp(clock.nowMs());
    const fault =
      signingFault(request, asked) ?? ((await asked.isOwnKey()) ? undefined : 'the signature is wrong');
    if (fault !== undefined)
      return { conditions: [condition('Failed', 'SignerValidationFailure', fault, now)] };
    const approved = condition('Approved', 'AutoApproved', 'A node goes on as what it is', now);
    const conditions = isApproved ? [] : [approved];
    try {
      return { conditions, certificate: await this.#sign(request, asked) };
    } catch (error) {
      // Names that cannot stand in a certificate, say: it would fail for ever.
      if (!(error instanceof UnusableError)) throw error;
      return { conditions: [condition('Failed', 'SignerValidationFailure', error.message, now)] };
    }
  }

  #nodeOf({ commonName }: SigningRequest): KubeObject | undefined {
    const cache = this.#nodes?.cache;
    return cache?.get(cache.prefix + commonName.slice(NODE_USER_PREFIX.length))?.object;
  }

  async #sign({ spec }: CertificateSigningRequest, asked: SigningRequest): Promise<string> {
    const { clock, authority } = this.#options;
    const ca = await authority();
    const notBeforeMs = beginOf(clock);
    const terms = {
      commonName: asked.commonName,
      organizations: asked.organizations,
      usages: spec.signerName === NODE_SIGNER ? (['client', 'server'] as const) : (['client'] as const),
      notBeforeMs,
      notAfterMs: notBeforeMs + lifeSeconds(spec) * 1_000,
    };
    const certificate = await certify(ca, asked.publicKey, terms).catch((error: unknown) => {
      throw new UnusableError(messageOf(error), { cause: error });
    });
    return Buffer.from(certificate).toString('base64');
  }
}

/** What a Node says about the renewal of its certificate; undefined: there is none. */
function renewalOf(node: KubeObject | undefined): string | undefined {
  return node === undefined ? undefined : (node.metadata.annotations?.[RENEWAL_ANNOTATION] ?? '');
}

class UnusableError extends Error {}

interface Outcome {
  conditions: SigningCondition[];
  certificate?: string;
}

const hasCondition = ({ status }: CertificateSigningRequest, ...types: string[]): boolean =>
  status?.conditions?.some(({ type }) => types.includes(type)) === true;

const isDecided = (request: CertificateSigningRequest): boolean =>
  request.status?.certificate !== undefined || hasCondition(request, 'Denied', 'Failed');

function withOutcome(request: CertificateSigningRequest, outcome: Outcome): CertificateSigningRequest {
  const conditions = [...(request.status?.conditions ?? []), ...outcome.conditions];
  const { certificate } = outcome;
  return { ...request, status: { conditions, ...(certificate === undefined ? {} : { certificate }) } };
}

const condition = (type: string, reason: string, message: string, now: string): SigningCondition => ({
  type,
  status: 'True',
  reason,
  message,
  lastUpdateTime: now,
  lastTransitionTime: now,
});
