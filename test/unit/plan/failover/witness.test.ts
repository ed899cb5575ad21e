import { describe, expect, it } from '@jest/globals';
import { startNodeLease } from '../../../../src/plan/failover/node-lease.ts';
import { defaultTiming } from '../../../../src/plan/failover/timing.ts';
import { onWitnessAnswers, witnessAnswer } from '../../../../src/plan/failover/witness.ts';

const MEMBERS = ['a', 'b', 'c', 'd', 'e'];
const ASKED = 100_000;
/** Of node a: in doubt, cut off for long, and permitted for three more seconds. */
const state = startNodeLease(
  ASKED - 10_000,
  { term: 1, deadlineMs: ASKED + 3_000 },
  { timing: defaultTiming, liveUntilMs: ASKED - 1_000 },
);
const answer = (peer: string, cutOffForMs: number, tookMs = 10) => ({
  peer,
  cutOffForMs,
  receivedMs: ASKED + tookMs,
});

describe('the answers of peers', () => {
  it.each([
    ['more than half, with itself, are cut off', [answer('b', 500), answer('c', 500)], true],
    ['just half, with itself, are', [answer('b', 500)], false],
    ['one says so twice', [answer('b', 500), answer('b', 500)], false],
    ['one is no member', [answer('b', 500), answer('x', 500)], false],
    ['one is not cut off', [answer('b', 500), answer('c', 0)], false],
    // What counts is the moment of the question: at that time it was not cut off yet.
    [
      'one was cut off only while its answer was on its way',
      [answer('b', 500), answer('c', 200, 300)],
      false,
    ],
    ['one was cut off before, and answered late', [answer('b', 500), answer('c', 400, 300)], true],
  ])('when %s', (_, answers, suffices) => {
    const question = { node: 'a', askedMs: ASKED, nowMs: ASKED + 400, answers, members: MEMBERS };
    const next = onWitnessAnswers(state, question, defaultTiming);
    expect(next.witnessUntilMs).toBe(suffices ? ASKED + 5_000 : Number.NEGATIVE_INFINITY);
  });

  it('revive nothing once the deadline has passed', () => {
    const answers = [answer('b', 500), answer('c', 500)];
    const question = { node: 'a', askedMs: ASKED, nowMs: ASKED + 3_000, answers, members: MEMBERS };
    expect(onWitnessAnswers(state, question, defaultTiming)).toBe(state);
  });

  it('say for how long no leader could count the node as live', () => {
    expect(witnessAnswer(state, ASKED)).toBeLessThan(ASKED);
    expect(witnessAnswer(state, state.liveUntilMs + 70)).toBe(70);
  });
});
