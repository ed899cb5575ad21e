import { describe } from '@jest/globals';
import { describeDrains } from './maintenance/drain.ts';
import { describeLosses } from './maintenance/losses.ts';
import { useCluster } from './scene.ts';

describe('maintenance of a host', () => {
  const trial = useCluster();
  describe('with kubectl hostler', () => {
    describeDrains(trial);
  });
  describe('while something else is lost', () => {
    describeLosses(trial);
  });
});
