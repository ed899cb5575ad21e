import { spawnSync } from 'node:child_process';
import { describe, it } from '@jest/globals';
import { LIVE_FOLDER } from '../../src/config/local.ts';
import { ALL_KILLS, describeKills } from '../e2e/migration/kills.ts';
import { describeLiveMoves } from '../e2e/migration/live.ts';
import { useCluster } from '../e2e/scene.ts';

const isInstalled = spawnSync(`${LIVE_FOLDER}/bin/criu`, ['--version']).status === 0;

if (isInstalled) {
  const trial = useCluster({ live: true });
  describe('a live migration', () => {
    describeLiveMoves(trial);
    describeKills(trial, 'LiveIfPossible', ALL_KILLS);
  });
} else {
  describe('a live migration', () => {
    it.todo('wants criu: scripts/setup --live');
  });
}
