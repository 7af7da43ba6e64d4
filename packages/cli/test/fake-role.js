'use strict';

// Stands in for a role: the launcher's tests are about processes, not about what runs in them.
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');

const config = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--config') + 1], 'utf8'));
const answer = (text) => (_request, response) => response.end(text);
createServer(answer('ok')).listen(config.adminPort, config.host);
if (config.httpPort !== undefined) {
  createServer(answer(config.nodeId)).listen(config.httpPort, config.host);
}
if (config.crash === true) setTimeout(() => process.exit(3), 300);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).resume();
