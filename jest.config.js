'use strict';

const preset = require('./jest.preset.js');

const project = (displayName, testMatch, more = {}) => ({
  ...preset,
  displayName,
  rootDir: __dirname,
  testMatch: testMatch.map((glob) => `<rootDir>/${glob}`),
  ...more,
});

module.exports = {
  projects: [
    project('unit', ['packages/*/test/**/*.test.ts', 'test/fuzz/**/*.test.ts']),
    project('repo', ['test/repo/**/*.test.ts']),
    project('simulation', ['test/{simulation,exhaustive}/**/*.test.ts']),
    project('integration', ['test/{integration,conformance}/**/*.test.ts']),
    project('chaos', ['test/chaos/**/*.test.ts']),
  ],
  testTimeout: 120_000,
  // Jest leaves one core to whoever watches; nobody watches here.
  maxWorkers: '100%',
};
