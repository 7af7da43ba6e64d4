import type { XmlElement } from '../../http/xml/xml-element';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import type { RoutingRule, WebsiteConfiguration } from '../bucket-configuration';
import { invalidArgument, invalidRequest } from '../s3-error';

const ROUTING_RULES_MAX = 50;

/** @throws S3Error MalformedXML, InvalidArgument, InvalidRequest. */
export function parseWebsiteConfiguration(document: Uint8Array): WebsiteConfiguration {
  const root = requireRoot(parseXml(document), 'WebsiteConfiguration');
  childrenOf(root, ['ErrorDocument', 'IndexDocument', 'RedirectAllRequestsTo', 'RoutingRules']);
  const redirectAll = onlyChild(root, 'RedirectAllRequestsTo');
  if (redirectAll !== null) {
    if (root.children.length > 1) {
      throw invalidRequest(
        'RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.',
      );
    }
    return { ...NO_PAGES, redirectAll: parseRedirectAll(redirectAll) };
  }
  const index = onlyChild(root, 'IndexDocument');
  const error = onlyChild(root, 'ErrorDocument');
  const rules = onlyChild(root, 'RoutingRules');
  return {
    redirectAll: null,
    indexSuffix: parseSuffix(index),
    errorKey: error === null ? null : parseErrorKey(error),
    routingRules: rules === null ? [] : parseRules(rules),
  };
}

const NO_PAGES = {
  redirectAll: null,
  indexSuffix: null,
  errorKey: null,
  routingRules: [],
} as const;

function onlyChild(parent: XmlElement, name: string): XmlElement | null {
  const [found, another] = parent.children.filter((child) => child.name === name);
  if (another !== undefined) throw malformedXml();
  return found ?? null;
}

function parseRedirectAll(found: XmlElement): NonNullable<WebsiteConfiguration['redirectAll']> {
  childrenOf(found, ['HostName', 'Protocol']);
  const hostName = parseHostName(childText(found, 'HostName'));
  if (hostName === null) throw malformedXml();
  return { hostName, protocol: parseProtocol(childText(found, 'Protocol')) };
}

function parseSuffix(index: XmlElement | null): string {
  if (index === null) {
    throw invalidArgument(
      'A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty',
      'IndexDocument',
      'null',
    );
  }
  childrenOf(index, ['Suffix']);
  const suffix = childText(index, 'Suffix') ?? '';
  if (suffix === '' || suffix.includes('/')) {
    const message = 'The IndexDocument Suffix is not well formed';
    throw invalidArgument(message, 'IndexDocument', suffix);
  }
  return suffix;
}

function parseErrorKey(error: XmlElement): string {
  childrenOf(error, ['Key']);
  const key = childText(error, 'Key') ?? '';
  if (key === '') {
    throw invalidArgument('The ErrorDocument Key is not well formed', 'ErrorDocument', key);
  }
  return key;
}

/** It goes into a header: no blank, no control character. */
function parseHostName(text: string | null): string | null {
  if (text === null) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(text)) {
    throw invalidRequest('The HostName of the redirect is not well formed');
  }
  return text;
}

function parseProtocol(text: string | null): string | null {
  if (text !== null && text !== 'http' && text !== 'https') {
    throw invalidRequest(
      'Invalid protocol, protocol can be http or https. If not defined the protocol will be ' +
        'selected automatically.',
    );
  }
  return text;
}

function parseRules(found: XmlElement): readonly RoutingRule[] {
  const rules = childrenOf(found, ['RoutingRule']);
  if (rules.length === 0) throw malformedXml();
  if (rules.length > ROUTING_RULES_MAX) {
    throw invalidRequest(
      `${rules.length} routing rules provided, the number of routing rules in a website ` +
        `configuration is limited to ${ROUTING_RULES_MAX}.`,
    );
  }
  return rules.map(parseRule);
}

function parseRule(rule: XmlElement): RoutingRule {
  childrenOf(rule, ['Condition', 'Redirect']);
  const condition = onlyChild(rule, 'Condition');
  const redirect = onlyChild(rule, 'Redirect');
  if (redirect === null) throw malformedXml();
  return {
    condition: condition === null ? null : parseCondition(condition),
    redirect: parseRedirect(redirect),
  };
}

function parseCondition(found: XmlElement): NonNullable<RoutingRule['condition']> {
  const children = childrenOf(found, ['KeyPrefixEquals', 'HttpErrorCodeReturnedEquals']);
  if (children.length === 0) {
    throw invalidRequest(
      'Condition cannot be empty. To redirect all requests without a condition, the condition ' +
        "element shouldn't be present.",
    );
  }
  const code = childText(found, 'HttpErrorCodeReturnedEquals');
  if (code !== null && !/^[45]\d\d$/.test(code)) {
    throw invalidRequest(
      `The provided HTTP error code (${code}) is not valid. Valid codes are 4XX or 5XX.`,
    );
  }
  return {
    keyPrefix: childText(found, 'KeyPrefixEquals'),
    errorCode: code === null ? null : Number(code),
  };
}

function parseRedirect(found: XmlElement): RoutingRule['redirect'] {
  const children = childrenOf(found, [
    'HostName',
    'Protocol',
    'HttpRedirectCode',
    'ReplaceKeyPrefixWith',
    'ReplaceKeyWith',
  ]);
  if (children.length === 0) throw malformedXml();
  const replaceKeyPrefixWith = childText(found, 'ReplaceKeyPrefixWith');
  const replaceKeyWith = childText(found, 'ReplaceKeyWith');
  if (replaceKeyPrefixWith !== null && replaceKeyWith !== null) {
    throw invalidRequest('You can only define ReplaceKeyPrefix or ReplaceKey but not both.');
  }
  const code = childText(found, 'HttpRedirectCode');
  if (code !== null && !/^3(?!00)\d\d$/.test(code)) {
    throw invalidRequest(
      `The provided HTTP redirect code (${code}) is not valid. Valid codes are 3XX except 300.`,
    );
  }
  return {
    hostName: parseHostName(childText(found, 'HostName')),
    protocol: parseProtocol(childText(found, 'Protocol')),
    statusCode: code === null ? null : Number(code),
    replaceKeyPrefixWith,
    replaceKeyWith,
  };
}

export function renderWebsiteConfiguration(website: WebsiteConfiguration): string {
  const { redirectAll, indexSuffix, errorKey, routingRules } = website;
  return xmlDocument('WebsiteConfiguration', [
    redirectAll === null
      ? null
      : element('RedirectAllRequestsTo', [
          textElement('HostName', redirectAll.hostName),
          optionalElement('Protocol', redirectAll.protocol),
        ]),
    indexSuffix === null ? null : element('IndexDocument', [textElement('Suffix', indexSuffix)]),
    errorKey === null ? null : element('ErrorDocument', [textElement('Key', errorKey)]),
    routingRules.length === 0 ? null : element('RoutingRules', routingRules.map(renderRule)),
  ]);
}

function renderRule({ condition, redirect }: RoutingRule): XmlFragment {
  return element('RoutingRule', [
    condition === null
      ? null
      : element('Condition', [
          optionalElement('KeyPrefixEquals', condition.keyPrefix),
          optionalElement('HttpErrorCodeReturnedEquals', condition.errorCode),
        ]),
    element('Redirect', [
      optionalElement('Protocol', redirect.protocol),
      optionalElement('HostName', redirect.hostName),
      optionalElement('ReplaceKeyPrefixWith', redirect.replaceKeyPrefixWith),
      optionalElement('ReplaceKeyWith', redirect.replaceKeyWith),
      optionalElement('HttpRedirectCode', redirect.statusCode),
    ]),
  ]);
}
