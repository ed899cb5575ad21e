// One project per kind of test, so that `npx jest --selectProjects unit` runs without any daemon.
const base = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
      },
    ],
  },
};
const project = (name, extra = {}) => ({
  ...base,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  ...extra,
});

export default {
  projects: ['unit', 'simulation', 'contract', 'integration', 'e2e', 'faults', 'kills'].map((name) => project(name)),
  testTimeout: 30_000,
  maxWorkers: 2,
  testSequencer: '<rootDir>/scripts/lib/longest-first.mjs',
};
