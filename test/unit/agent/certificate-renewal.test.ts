import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CertificateRenewal, createCertificateRenewal } from '../../../src/agent/certificate/renewal.ts';
import {
  type CertificateSigningRequest,
  certificateSigningRequestRef as ref,
  NODE_SIGNER,
  NODE_USAGES,
} from '../../../src/crds/certificate-signing-request.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import type {
  CertificateDraft,
  CertificateLife,
  OwnCertificate,
} from '../../../src/ports/own-certificate.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFakeObjectStore, type FakeObjectStore } from '../../support/fake-object-store.ts';

const DAY_MS = 86_400_000;
/** By this, renewal is due after 60 % of the life. */
const FINGERPRINT = '0'.repeat(64);
const { signal: never } = new AbortController();

let clock: FakeClock;
let store: FakeObjectStore;
let life: CertificateLife | undefined;
let drafts: CertificateDraft[];
let taken: { draft: CertificateDraft; certificatePem: string }[];
let events: string[];
let measured: Record<string, number>;
let renewal: CertificateRenewal;
let stop: AbortController;
let ended: Promise<void>;
let isDiskFull = false;
/** Of the next one that is issued. */
let lifeNow: () => CertificateLife;

const certificate: OwnCertificate = {
  facts: () => Promise.resolve(life),
  draft() {
    const id = `key-${drafts.length + 1}`;
    drafts.push({ id, requestPem: `request of ${id}`, keyPem: id });
    return Promise.resolve(drafts.at(-1) as CertificateDraft);
  },
  take(draft, certificatePem) {
    if (isDiskFull) return Promise.reject(new Error('no space left on device'));
    taken.push({ draft, certificatePem });
    life = lifeNow();
    return Promise.resolve();
  },
};
const lifeFrom = (nowMs: number): CertificateLife => ({
  notBeforeMs: nowMs,
  notAfterMs: nowMs + 100 * DAY_MS,
  fingerprint: FINGERPRINT,
});

beforeEach(() => {
  clock = createFakeClock();
  store = createFakeObjectStore(clock);
  [drafts, taken, events, measured] = [[], [], [], {}];
  life = lifeFrom(clock.nowMs());
  lifeNow = () => lifeFrom(clock.nowMs());
  renewal = createCertificateRenewal({
    nodeName: 'host-1',
    certificate,
    store,
    events: { record: (_about, type, reason, message) => void events.push(`${type} ${reason}: ${message}`) },
    clock,
    logger,
    metrics: {
      count: (name, { result = '' } = {}) => {
        measured[`${name} ${result}`] = (measured[`${name} ${result}`] ?? 0) + 1;
      },
      set: (name, value) => void (measured[name] = value),
      observeSeconds() {},
    },
    onChange: () => undefined,
  });
  stop = new AbortController();
  ended = renewal.start(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await ended;
  expect(clock.pending()).toBe(0);
});

const requests = () => store.all<CertificateSigningRequest>(ref);
const onlyRequest = (): CertificateSigningRequest => {
  expect(requests()).toHaveLength(1);
  return requests()[0] as CertificateSigningRequest;
};
const decide = (name: string, status: object) => store.mergePatch(ref, { name }, { body: { status } }, never);
const issue = (name: string) =>
  decide(name, { certificate: Buffer.from(`certificate ${name}`).toString('base64') });
/** To the moment at which it asks for the next one. */
const untilDue = () => clock.advance(60 * DAY_MS);

describe('the renewal of the certificate', () => {
  it('is left alone for 60 % of its life, and looked at meanwhile', async () => {
    await clock.advance(60 * DAY_MS - 1);
    expect(requests()).toEqual([]);
    expect(store.calls).toEqual([]);
    expect(measured).toEqual({ hostler_certificate_expiry_seconds: (life?.notAfterMs ?? 0) / 1_000 });
  });

  it('asks in the name of the node, for as long as the present one lasts, and takes up what it gets', async () => {
    await untilDue();
    const { metadata, spec } = onlyRequest();
    expect(metadata.name).toMatch(/^host-1\.[0-9a-f]{10}$/);
    expect(spec).toEqual({
      request: Buffer.from('request of key-1').toString('base64'),
      signerName: NODE_SIGNER,
      usages: NODE_USAGES,
      expirationSeconds: (100 * DAY_MS) / 1_000,
    });
    await issue(metadata.name);
    await clock.advance(1_000);
    expect(taken).toEqual([{ draft: drafts[0], certificatePem: `certificate ${metadata.name}` }]);
    expect(measured).toMatchObject({ 'hostler_certificate_renewals_total renewed': 1 });
    expect(events).toEqual(['Normal CertificateRenewed: The certificate of the agent is renewed']);
  });

  it('goes on for years, each time with another key', async () => {
    for (let time = 1; time <= 5; time += 1) {
      await untilDue();
      const { name } = requests().find(({ status }) => status === undefined)?.metadata ?? { name: '' };
      await issue(name);
      await clock.advance(1_000);
      expect(taken).toHaveLength(time);
    }
    expect(new Set(drafts.map(({ id }) => id)).size).toBe(5);
    expect(renewal.verdict()).toEqual({});
  });

  it('notices that the wall clock was set', async () => {
    clock.setWall(clock.nowMs() + 70 * DAY_MS);
    await clock.advance(3_600_000);
    expect(requests()).toHaveLength(1);
  });

  it('finds its request again when the reply to it was lost', async () => {
    store.faults.loseReply({ verb: 'create' });
    await untilDue();
    await clock.advance(600_000);
    await issue(onlyRequest().metadata.name);
    await clock.advance(600_000);
    expect(taken).toHaveLength(1);
    expect(drafts).toHaveLength(1);
  });

  it('outlasts an outage of the API for as long as the certificate does, and tells people in time', async () => {
    store.faults.failNext('Unavailable', { verb: 'get', times: Number.POSITIVE_INFINITY });
    await untilDue();
    await clock.advance(14 * DAY_MS);
    expect(events).toEqual([]);
    await clock.advance(2 * DAY_MS);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatch(
      /^Warning CertificateEndsSoon: The certificate of the agent ends at 2026-04-11/,
    );
    expect(renewal.verdict()?.fault).toMatch(/is not renewed/);
  });

  it('tells that it is renewed after all', async () => {
    store.faults.failNext('Forbidden', { verb: 'create', times: 6 * 24 * 16 });
    await untilDue();
    await clock.advance(16 * DAY_MS);
    expect(renewal.verdict()?.fault).toBeDefined();
    await clock.advance(600_000);
    await issue(onlyRequest().metadata.name);
    await clock.advance(600_000);
    expect(renewal.verdict()).toEqual({});
    expect(events[0]).toMatch(/^Warning CertificateEndsSoon/);
    expect(events.at(-1)).toMatch(/^Normal CertificateRenewed/);
  });

  it.each(['Denied', 'Failed'])('asks with another key when a request was %s', async (type) => {
    await untilDue();
    const { name } = onlyRequest().metadata;
    await decide(name, { conditions: [{ type, status: 'True', message: 'no' }] });
    await clock.advance(700_000);
    expect(requests()).toHaveLength(2);
    expect(measured).toMatchObject({ 'hostler_certificate_renewals_total failed': 1 });
    expect(taken).toEqual([]);
  });

  it('waits for a person without writing anything, and names the request when it ends soon', async () => {
    await untilDue();
    const { name } = onlyRequest().metadata;
    const writes = store.writes().length;
    await clock.advance(20 * DAY_MS);
    expect(store.writes()).toHaveLength(writes);
    expect(renewal.verdict()?.fault).toContain(`nobody has approved it: kubectl certificate approve ${name}`);
    await issue(name);
    await clock.advance(15_000);
    expect(taken).toHaveLength(1);
  });

  it('asks again for the same key when its request was removed', async () => {
    await untilDue();
    const { name } = onlyRequest().metadata;
    await store.delete(ref, { name }, {}, never);
    await clock.advance(1_000);
    expect(onlyRequest().metadata.name).toBe(name);
    expect(drafts).toHaveLength(1);
  });

  it('tries again when the disk does not take it, with another key', async () => {
    isDiskFull = true;
    await untilDue();
    await issue(onlyRequest().metadata.name);
    await clock.advance(1_000);
    isDiskFull = false;
    await clock.advance(700_000);
    expect(drafts).toHaveLength(2);
    await issue(requests().find(({ status }) => status === undefined)?.metadata.name ?? '');
    await clock.advance(20_000);
    expect(taken).toHaveLength(1);
  });

  it.each([
    ['so that the next one seems due at once', 70 * DAY_MS],
    ['so that the next one seems to be over', 200 * DAY_MS],
  ])('asks once an hour at most where the clock of the host is ahead, %s', async (_what, aheadMs) => {
    lifeNow = () => lifeFrom(clock.nowMs() - aheadMs);
    await untilDue();
    for (let minute = 0; minute < 120; minute += 1) {
      for (const { metadata, status } of requests()) if (status === undefined) await issue(metadata.name);
      await clock.advance(60_000);
    }
    expect(requests().length).toBeLessThanOrEqual(3);
  });

  it('does nothing where no certificate says who the agent is', async () => {
    life = undefined;
    await clock.advance(365 * DAY_MS);
    expect(store.calls).toEqual([]);
    expect(measured).toEqual({});
  });
});
