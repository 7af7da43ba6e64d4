#!/usr/bin/env node
import { StoreError, systemClock, systemRandom } from '@azimuth/common';

import { createProgram } from './program';

const program = createProgram({
  clock: systemClock,
  random: systemRandom,
  env: process.env,
  main: __filename,
  print: (line) => process.stdout.write(`${line}\n`),
});

program.parseAsync().catch((error: unknown) => {
  const isExpected = error instanceof StoreError;
  const text = isExpected ? describe(error) : String((error as Error).stack ?? error);
  process.stderr.write(`azimuth: ${text}\n`);
  process.exit(1);
});

function describe({ code, detail }: StoreError): string {
  const fields = Object.entries(detail).map(([name, value]) => `${name}: ${String(value)}`);
  return [code, ...fields].join(', ');
}
