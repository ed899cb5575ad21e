import { describe } from '@jest/globals';
import { describeBadInput } from './lifecycle/bad-input.ts';
import { describeEnds } from './lifecycle/ends.ts';
import { describeInterference } from './lifecycle/interference.ts';
import { describeRunning } from './lifecycle/running.ts';
import { describeSettings } from './lifecycle/settings.ts';
import { describeStarts } from './lifecycle/starts.ts';
import { useCluster } from './scene.ts';

describe('containers on real hosts', () => {
  const trial = useCluster();
  describe('from apply to delete', () => {
    describeRunning(trial);
  });
  describe('that end by themselves', () => {
    describeEnds(trial.together);
  });
  describe('that do not start', () => {
    describeStarts(trial.together);
  });
  describe('whose settings change', () => {
    describeSettings(trial.together);
  });
  describe('with which a person interferes', () => {
    describeInterference(trial.together);
  });
  describe('that cannot be as they should', () => {
    describeBadInput(trial.together);
  });
});
