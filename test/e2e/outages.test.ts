import { describe } from '@jest/globals';
import { describeAgentOutages } from './outages/agent.ts';
import { describeApiOutages } from './outages/api.ts';
import { describeDaemonOutages } from './outages/daemon.ts';
import { describeHostOutages } from './outages/host.ts';
import { describeRest } from './outages/rest.ts';
import { useCluster } from './scene.ts';

describe('containers through the ends of everything else', () => {
  const trial = useCluster();
  describe('at rest', () => {
    describeRest(trial);
  });
  describe('an agent', () => {
    describeAgentOutages(trial);
  });
  describe('a daemon', () => {
    describeDaemonOutages(trial);
  });
  describe('a host', () => {
    describeHostOutages(trial);
  });
  describe('the control plane', () => {
    describeApiOutages(trial);
  });
});
