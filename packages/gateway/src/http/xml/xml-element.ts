import { XMLParser, XMLValidator } from 'fast-xml-parser';

import { S3Error } from '../../s3/s3-error';

/**
 * A parsed element. Names live in values and never become property names. The parser refuses the
 * names `__proto__`, `constructor` and `prototype`.
 */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Text directly inside, references decoded, CDATA included; not trimmed. */
  readonly text: string;
}

/** Deepest S3 document is 5 levels; anything far beyond is an attack on the parser. */
const DEPTH_MAX = 20;
/** 10,000 parts with PartNumber, ETag and one checksum have 40,001 elements. */
const ELEMENTS_MAX = 60_000;

const TEXT = '#text';
const CDATA = '#cdata';

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  // References are decoded below: the parser's own decoder leaves unknown ones in place.
  processEntities: false,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  maxNestedTags: DEPTH_MAX,
});

/**
 * Parses a request document. The caller has limited its size.
 *
 * @throws S3Error MalformedXML when it is not UTF-8, not well-formed, has a DOCTYPE, an entity that
 * is not predefined, or too many or too deep elements.
 */
export function parseXml(document: Uint8Array): XmlElement {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(document);
    refuseDangerousText(text);
    if (XMLValidator.validate(text) !== true) throw malformedXml();
    return rootOf(parser.parse(text));
  } catch (error) {
    throw error instanceof S3Error ? error : malformedXml(error);
  }
}

export function malformedXml(cause?: unknown): S3Error {
  return new S3Error('MalformedXML', {}, { cause });
}

/** Everything here is one linear pass, before any parser sees the text. */
function refuseDangerousText(text: string): void {
  // Comments and CDATA are the only declarations a request may have: no DTD, hence no entities.
  if (/<!(?!--|\[CDATA\[)/.test(text)) throw malformedXml();
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) throw malformedXml();

  let tags = 0;
  let depth = 0;
  let at = text.indexOf('<');
  while (at !== -1) {
    tags += 1;
    const next = text.charAt(at + 1);
    let end = at;
    if (next !== '!' && next !== '?') {
      end = text.indexOf('>', at);
      if (next === '/') depth -= 1;
      else if (text.charAt(end - 1) !== '/') depth += 1;
    }
    if (end === -1 || tags > 2 * ELEMENTS_MAX || depth < 0 || depth > DEPTH_MAX) {
      throw malformedXml();
    }
    // From the end of the tag on: a text of many `<` and one `>` must not be read over and over.
    at = text.indexOf('<', end + 1);
  }
}

/** What the parser returns with `preserveOrder`: one key a node, the name of the element. */
type OrderedNode = Readonly<Record<string, unknown>>;

function rootOf(parsed: unknown): XmlElement {
  const elements = contentOf(parsed).children;
  const [root] = elements;
  if (root === undefined || elements.length !== 1) throw malformedXml();
  return root;
}

function contentOf(nodes: unknown): Pick<XmlElement, 'children' | 'text'> {
  if (!Array.isArray(nodes)) throw malformedXml();
  const children: XmlElement[] = [];
  let text = '';
  for (const node of nodes as OrderedNode[]) {
    for (const [name, value] of Object.entries(node)) {
      if (name === TEXT) text += decodeReferences(String(value));
      else if (name === CDATA) text += rawText(value);
      else if (name !== ':@') children.push({ name, ...contentOf(value) });
    }
  }
  return { children, text };
}

function rawText(nodes: unknown): string {
  if (!Array.isArray(nodes)) throw malformedXml();
  return (nodes as OrderedNode[])
    .map((node) => node[TEXT])
    .filter((value) => typeof value === 'string')
    .join('');
}

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decodeReferences(text: string): string {
  return text.replace(/&([^;&]{0,12})(;?)/g, (_match, name: string, end: string) => {
    if (end === '') throw malformedXml();
    const predefined = PREDEFINED.get(name);
    if (predefined !== undefined) return predefined;
    const number = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    if (number === null) throw malformedXml();
    const codePoint =
      number[1] === undefined
        ? Number.parseInt(number[2] ?? '', 10)
        : Number.parseInt(number[1], 16);
    const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    if (codePoint === 0 || codePoint > 0x10ffff || isSurrogate) throw malformedXml();
    return String.fromCodePoint(codePoint);
  });
}

/** Checks the name of the root element. */
export function requireRoot(root: XmlElement, name: string): XmlElement {
  if (root.name !== name) throw malformedXml();
  return root;
}

/** Children by name, refusing any that is not in `allowed` and mixed content. */
export function childrenOf(parent: XmlElement, allowed: readonly string[]): readonly XmlElement[] {
  if (parent.text.trim() !== '') throw malformedXml();
  for (const child of parent.children) if (!allowed.includes(child.name)) throw malformedXml();
  return parent.children;
}

/** Text of the only child of that name; null when there is none. Two are MalformedXML. */
export function childText(parent: XmlElement, name: string): string | null {
  const found = parent.children.filter((child) => child.name === name);
  if (found.length > 1) throw malformedXml();
  const [only] = found;
  if (only === undefined) return null;
  if (only.children.length > 0) throw malformedXml();
  return only.text;
}
