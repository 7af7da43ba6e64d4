'use strict';

/** The arrows of ARCHITECTURE.md, "Packages". `npm run depcruise` checks them. */
const SERVICES = 'gateway|metadata-raft|storage-node|curator|cli';

/** Which sister packages each package may import; `testkit` is for tests and may import any. */
const ARROWS = {
  common: [],
  erasure: [],
  placement: ['common'],
  proto: ['common', 'placement'],
  rpc: ['common', 'proto'],
  clients: ['common', 'placement', 'proto', 'rpc', 'erasure'],
  gateway: ['common', 'clients', 'erasure', 'placement', 'proto', 'rpc'],
  'metadata-raft': ['common', 'clients', 'placement', 'proto', 'rpc'],
  'storage-node': ['common', 'clients', 'erasure', 'placement', 'proto', 'rpc'],
  curator: ['common', 'clients', 'erasure', 'placement', 'proto', 'rpc'],
  cli: [
    'common',
    'clients',
    'erasure',
    'placement',
    'proto',
    'rpc',
    'gateway',
    'metadata-raft',
    'storage-node',
    'curator',
  ],
};

const arrows = Object.entries(ARROWS).map(([name, targets]) => ({
  name: `arrows-of-${name}`,
  severity: 'error',
  comment: `${name} may import only: ${targets.join(', ') || 'nothing'}.`,
  from: { path: `^packages/${name}/src/` },
  to: { path: '^packages/', pathNot: `^packages/(${[name, ...targets].join('|')})/` },
}));

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      comment: 'npm hoists, so a missing entry in package.json would go unnoticed.',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    {
      name: 'services-are-islands',
      severity: 'error',
      comment: 'Services meet in clients, proto and placement.',
      from: { path: '^packages/(gateway|metadata-raft|storage-node|curator)/src/' },
      to: { path: `^packages/(${SERVICES})/`, pathNot: '^packages/$1/' },
    },
    {
      name: 'raft-core-is-pure',
      severity: 'error',
      from: { path: '^packages/metadata-raft/src/core/' },
      to: { pathNot: '^packages/(metadata-raft/src/core|common)/' },
    },
    {
      name: 'state-machine-knows-no-raft',
      severity: 'error',
      from: { path: '^packages/metadata-raft/src/state-machine/' },
      to: { path: '^packages/metadata-raft/src/(core|log|transport|server)/' },
    },
    {
      name: 'data-path-knows-no-http',
      severity: 'error',
      from: { path: '^packages/gateway/src/data-path/' },
      to: { path: '^packages/gateway/src/(http|s3|auth)/' },
    },
    {
      name: 'http-and-auth-know-no-operation',
      severity: 'error',
      from: { path: '^packages/gateway/src/(http|auth)/' },
      to: { path: '^packages/gateway/src/s3/(bucket|object|multipart)/' },
    },
    {
      name: 'no-testkit-in-production',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: '^packages/testkit/' },
      to: { path: '^packages/testkit/' },
    },
    ...arrows,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/dist/|/gen/|/kernel/|/test/)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'require', 'node', 'default', 'types'],
    },
  },
};
