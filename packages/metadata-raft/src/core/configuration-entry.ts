import { assert } from '@azimuth/common';

import type { ConfigurationRecord } from './message';
import type { Configuration } from './quorum';

/**
 * The first byte of an entry that changes the configuration. No MessagePack value begins with it,
 * and no UTF-8 text has it, so it is never the first byte of a command.
 */
const CONFIGURATION_MARK = 0xc1;

export function configurationRecord(configuration: Configuration): ConfigurationRecord {
  const { voters, outgoing, learners } = configuration;
  return {
    voters: [...voters].sort(),
    outgoing: outgoing === null ? null : [...outgoing].sort(),
    learners: [...learners].sort(),
  };
}

export function configurationOf(record: ConfigurationRecord): Configuration {
  const { voters, outgoing, learners } = record;
  return {
    voters: new Set(voters),
    outgoing: outgoing === null ? null : new Set(outgoing),
    learners: new Set(learners),
  };
}

/** True for the data of an entry that changes the configuration, which is no command. */
export function isConfigurationEntry(data: Uint8Array): boolean {
  return data[0] === CONFIGURATION_MARK;
}

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(configurationRecord(configuration)));
  const data = new Uint8Array(1 + text.length);
  data[0] = CONFIGURATION_MARK;
  data.set(text, 1);
  return data;
}

export function decodeConfiguration(data: Uint8Array): Configuration {
  assert(isConfigurationEntry(data), 'not a configuration');
  const text = new TextDecoder().decode(data.subarray(1));
  return configurationOf(JSON.parse(text) as ConfigurationRecord);
}
