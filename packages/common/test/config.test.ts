import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { environmentName, NODE_CONFIG_SHAPE, parseConfig, portSchema } from '@azimuth/common';
import { z } from 'zod';

const schema = z.object({ httpPort: portSchema, secretKey: z.string().min(8) });

describe('parseConfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-config-'));
  const file = join(directory, 'node.json');
  writeFileSync(file, JSON.stringify({ httpPort: 1, secretKey: 'from-the-file' }));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('prefers flag over environment over file', () => {
    const env = { AZIMUTH_HTTP_PORT: '2', AZIMUTH_SECRET_KEY: 'from-the-environment' };
    expect(parseConfig(schema, { file, env, flags: { httpPort: 3 } })).toEqual({
      httpPort: 3,
      secretKey: 'from-the-environment',
    });
    expect(parseConfig(schema, { file }).httpPort).toBe(1);
  });

  it('freezes what it returns', () => {
    expect(Object.isFrozen(parseConfig(schema, { file }))).toBe(true);
  });

  it('names every refused value and never shows it', () => {
    const flags = { httpPort: 70_000, secretKey: 'hunter2' };
    const parse = (): unknown => parseConfig(schema, { flags });
    expect(parse).toThrow(/httpPort.*secretKey/);
    expect(parse).not.toThrow(/hunter2/);
  });

  it('maps camel case to the environment', () => {
    expect(environmentName('rootAccessKey')).toBe('AZIMUTH_ROOT_ACCESS_KEY');
  });

  it('refuses a node without an identity', () => {
    const parse = (): unknown => parseConfig(z.object(NODE_CONFIG_SHAPE), { flags: {} });
    expect(parse).toThrow(/tlsDirectory/);
  });
});
