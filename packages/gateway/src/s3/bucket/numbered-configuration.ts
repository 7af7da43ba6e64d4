import type { XmlElement } from '../../http/xml/xml-element';
import { childrenOf, malformedXml } from '../../http/xml/xml-element';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, textElement } from '../../http/xml/xml-writer';

/** What an element may be: text that a pattern describes, or elements. */
export type ElementShape =
  | { readonly kind: 'text'; readonly pattern: RegExp }
  | { readonly kind: 'elements'; readonly members: Readonly<Record<string, Member>> }
  /** Exactly one of the members. */
  | { readonly kind: 'choice'; readonly members: Readonly<Record<string, Member>> };

export interface Member {
  readonly shape: ElementShape;
  readonly isRequired?: boolean;
  /** How often it may be there; 1 unless given. */
  readonly countMax?: number;
}

/** @throws S3Error MalformedXML unless the element has that shape. */
export function requireShape(found: XmlElement, shape: ElementShape): void {
  if (shape.kind === 'text') {
    if (found.children.length > 0 || !shape.pattern.test(found.text)) throw malformedXml();
    return;
  }
  const { kind, members } = shape;
  const children = childrenOf(found, Object.keys(members));
  if (kind === 'choice' && children.length > 1) throw malformedXml();
  for (const [name, { isRequired = false, countMax = 1 }] of Object.entries(members)) {
    const count = children.filter((child) => child.name === name).length;
    if (count > countMax || (isRequired && count === 0)) throw malformedXml();
  }
  for (const child of children) {
    const member = members[child.name];
    if (member !== undefined) requireShape(child, member.shape);
  }
}

/** Writes an element that was checked against its shape, so that its names are ours. */
export function renderElement({ name, children, text }: XmlElement): XmlFragment {
  return children.length === 0
    ? textElement(name, text)
    : element(name, children.map(renderElement));
}

const text = (pattern: RegExp): ElementShape => ({ kind: 'text', pattern });
const required = (shape: ElementShape, countMax = 1): Member => ({
  shape,
  countMax,
  isRequired: true,
});

const ANY = text(/^[^]{0,1024}$/);
const TAG: ElementShape = {
  kind: 'elements',
  members: { Key: required(text(/^[^]{1,128}$/)), Value: required(text(/^[^]{0,256}$/)) },
};
const TAGS_MAX = 10;
const ID = required(text(/^[\w.-]{1,64}$/));

function filter(more: Readonly<Record<string, Member>>): Member {
  const and: ElementShape = {
    kind: 'elements',
    members: { Prefix: { shape: ANY }, Tag: { shape: TAG, countMax: TAGS_MAX }, ...more },
  };
  return {
    shape: {
      kind: 'choice',
      members: { Prefix: { shape: ANY }, Tag: { shape: TAG }, And: { shape: and }, ...more },
    },
  };
}

const DESTINATION: ElementShape = {
  kind: 'elements',
  members: {
    Format: required(text(/^CSV$/)),
    BucketAccountId: { shape: text(/^\d{12}$/) },
    Bucket: required(text(/^arn:[^]{1,128}$/)),
    Prefix: { shape: ANY },
  },
};
const EXPORT: ElementShape = {
  kind: 'elements',
  members: {
    OutputSchemaVersion: required(text(/^V_1$/)),
    Destination: required({
      kind: 'elements',
      members: { S3BucketDestination: required(DESTINATION) },
    }),
  },
};

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_AnalyticsConfiguration.html */
export const ANALYTICS: ElementShape = {
  kind: 'elements',
  members: {
    Id: ID,
    Filter: filter({}),
    StorageClassAnalysis: required({
      kind: 'elements',
      members: { DataExport: { shape: EXPORT } },
    }),
  },
};

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_MetricsConfiguration.html */
export const METRICS: ElementShape = {
  kind: 'elements',
  members: { Id: ID, Filter: filter({ AccessPointArn: { shape: text(/^arn:[^]{1,256}$/) } }) },
};

const TIERING: ElementShape = {
  kind: 'elements',
  members: {
    Days: required(text(/^\d{1,4}$/)),
    AccessTier: required(text(/^(?:DEEP_)?ARCHIVE_ACCESS$/)),
  },
};

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_IntelligentTieringConfiguration.html */
export const INTELLIGENT_TIERING: ElementShape = {
  kind: 'elements',
  members: {
    Id: ID,
    Filter: filter({}),
    Status: required(text(/^(?:Enabled|Disabled)$/)),
    Tiering: required(TIERING, 2),
  },
};
