'use strict';

const { defineConfig, globalIgnores } = require('eslint/config');
const tseslint = require('typescript-eslint');

const PURE = [
  'packages/metadata-raft/src/core/**',
  'packages/erasure/src/**',
  'packages/placement/src/**',
];
/** The only files that may read the wall clock, entropy, timers or the environment. */
const EDGES = ['packages/common/src/{clock,random,config}.ts', 'packages/*/src/main.ts'];

module.exports = defineConfig(
  globalIgnores(['**/dist/**', '**/gen/**', 'packages/erasure/kernel/**', '**/*.js', '**/*.cjs']),
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: ['./tsconfig.test.json'], tsconfigRootDir: __dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
    },
  },
  {
    files: ['packages/*/src/**'],
    ignores: ['packages/testkit/**'],
    rules: {
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      'max-lines': ['error', { max: 600, skipComments: true }],
      'max-params': ['error', 5],
      complexity: ['error', 15],
      'max-depth': ['error', 4],
    },
  },
  {
    files: ['packages/*/src/**'],
    ignores: EDGES,
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take a Random (common/random.ts).' },
        { object: 'Date', property: 'now', message: 'Take a Clock (common/clock.ts).' },
        { object: 'process', property: 'env', message: 'Configuration is parsed in main.ts.' },
      ],
    },
  },
  {
    files: PURE,
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'Date', message: 'Time is a tick or a `now` argument.' },
        { name: 'setTimeout', message: 'The driver owns timers.' },
        { name: 'setInterval', message: 'The driver owns timers.' },
        { name: 'process', message: 'Configuration is an argument.' },
      ],
      'no-restricted-imports': ['error', { patterns: ['node:*', '@grpc/*', 'pino'] }],
    },
  },
  {
    files: ['packages/*/test/**', 'test/**', 'scripts/**'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
);
