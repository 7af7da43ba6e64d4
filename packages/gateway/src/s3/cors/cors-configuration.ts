import type { XmlElement } from '../../http/xml/xml-element';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import type { CorsRule } from '../bucket-configuration';
import { invalidRequest } from '../s3-error';

export const CORS_RULES_MAX = 100;
const ID_LENGTH_MAX = 255;
const METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
const ELEMENTS = [
  'ID',
  'AllowedOrigin',
  'AllowedMethod',
  'AllowedHeader',
  'ExposeHeader',
  'MaxAgeSeconds',
];

/** @throws S3Error MalformedXML, InvalidRequest. */
export function parseCorsConfiguration(document: Uint8Array): readonly CorsRule[] {
  const root = requireRoot(parseXml(document), 'CORSConfiguration');
  const rules = childrenOf(root, ['CORSRule']);
  if (rules.length === 0) throw malformedXml();
  if (rules.length > CORS_RULES_MAX) {
    throw invalidRequest(
      `The number of CORS rules should not exceed allowed limit of ${CORS_RULES_MAX} rules.`,
    );
  }
  return rules.map(parseRule);
}

function parseRule(rule: XmlElement): CorsRule {
  childrenOf(rule, ELEMENTS);
  const id = childText(rule, 'ID');
  if (id !== null && id.length > ID_LENGTH_MAX) throw malformedXml();
  const allowedOrigins = textsOf(rule, 'AllowedOrigin');
  const allowedMethods = textsOf(rule, 'AllowedMethod');
  if (allowedOrigins.length === 0 || allowedMethods.length === 0) throw malformedXml();
  requireMethods(allowedMethods);
  const allowedHeaders = textsOf(rule, 'AllowedHeader');
  requireOneWildcard('AllowedOrigin', allowedOrigins);
  requireOneWildcard('AllowedHeader', allowedHeaders);
  const exposeHeaders = textsOf(rule, 'ExposeHeader');
  requireHeaderNames(exposeHeaders);
  return {
    id,
    allowedOrigins,
    allowedMethods,
    allowedHeaders,
    exposeHeaders,
    maxAgeSeconds: parseMaxAge(childText(rule, 'MaxAgeSeconds')),
  };
}

function textsOf(rule: XmlElement, name: string): readonly string[] {
  return rule.children
    .filter((child) => child.name === name)
    .map(({ children, text }) => {
      if (children.length > 0) throw malformedXml();
      return text.trim();
    });
}

function requireMethods(methods: readonly string[]): void {
  const unsupported = methods.find((method) => !METHODS.has(method));
  if (unsupported === undefined) return;
  throw invalidRequest(
    `Found unsupported HTTP method in CORS config. Unsupported method is ${unsupported}`,
  );
}

function requireOneWildcard(name: string, values: readonly string[]): void {
  for (const value of values) {
    if (value.split('*').length > 2) {
      throw invalidRequest(`${name} "${value}" can not have more than one wildcard.`);
    }
  }
}

/** They are answered in a header, so nothing may be in them that could end it. */
function requireHeaderNames(names: readonly string[]): void {
  for (const name of names) {
    if (name.includes('*')) {
      throw invalidRequest(
        `ExposeHeader "${name}" contains wildcard. We currently do not support wildcard for ` +
          'ExposeHeader.',
      );
    }
    if (!/^[!#$%&'+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
      throw invalidRequest(`ExposeHeader "${name}" contains invalid character.`);
    }
  }
}

function parseMaxAge(text: string | null): number | null {
  if (text === null) return null;
  if (!/^\d{1,9}$/.test(text.trim())) throw malformedXml();
  return Number(text);
}

export function renderCorsConfiguration(rules: readonly CorsRule[]): string {
  return xmlDocument(
    'CORSConfiguration',
    rules.map((rule) =>
      element('CORSRule', [
        optionalElement('ID', rule.id),
        ...rule.allowedMethods.map((method) => textElement('AllowedMethod', method)),
        ...rule.allowedOrigins.map((origin) => textElement('AllowedOrigin', origin)),
        ...rule.allowedHeaders.map((header) => textElement('AllowedHeader', header)),
        optionalElement('MaxAgeSeconds', rule.maxAgeSeconds),
        ...rule.exposeHeaders.map((header) => textElement('ExposeHeader', header)),
      ]),
    ),
  );
}
