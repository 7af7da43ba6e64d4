import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../http/xml/xml-element';
import type { XmlFragment } from '../http/xml/xml-writer';
import { textElement } from '../http/xml/xml-writer';
import type { PublicAccessBlock } from './bucket-configuration';

export const PUBLIC_ACCESS_BLOCK_ELEMENT = 'PublicAccessBlockConfiguration';

const FLAGS: readonly (readonly [element: string, flag: keyof PublicAccessBlock])[] = [
  ['BlockPublicAcls', 'blockPublicAcls'],
  ['IgnorePublicAcls', 'ignorePublicAcls'],
  ['BlockPublicPolicy', 'blockPublicPolicy'],
  ['RestrictPublicBuckets', 'restrictPublicBuckets'],
];

/** P-5: a flag that is not there is off. @throws S3Error MalformedXML */
export function parsePublicAccessBlock(document: Uint8Array): PublicAccessBlock {
  const root = requireRoot(parseXml(document), PUBLIC_ACCESS_BLOCK_ELEMENT);
  const names = FLAGS.map(([name]) => name);
  childrenOf(root, names);
  const flag = (name: string): boolean => parseFlag(childText(root, name));
  return {
    blockPublicAcls: flag('BlockPublicAcls'),
    ignorePublicAcls: flag('IgnorePublicAcls'),
    blockPublicPolicy: flag('BlockPublicPolicy'),
    restrictPublicBuckets: flag('RestrictPublicBuckets'),
  };
}

function parseFlag(text: string | null): boolean {
  const value = text?.trim().toLowerCase() ?? 'false';
  if (value !== 'true' && value !== 'false') throw malformedXml();
  return value === 'true';
}

export function publicAccessBlockElements(block: PublicAccessBlock): readonly XmlFragment[] {
  return FLAGS.map(([name, flag]) => textElement(name, block[flag]));
}
