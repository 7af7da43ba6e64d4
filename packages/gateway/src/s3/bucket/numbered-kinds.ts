import type { XmlElement } from '../../http/xml/xml-element';
import { childText, malformedXml } from '../../http/xml/xml-element';
import { invalidArgument } from '../s3-error';
import { ANALYTICS, INTELLIGENT_TIERING, METRICS } from './numbered-configuration';
import type { NumberedKind } from './numbered-operation';

export const ANALYTICS_KIND: NumberedKind = {
  name: 'Analytics',
  prefix: 'analytics',
  listRoot: 'ListBucketAnalyticsConfigurationResult',
  shape: ANALYTICS,
};

export const METRICS_KIND: NumberedKind = {
  name: 'Metrics',
  prefix: 'metrics',
  listRoot: 'ListMetricsConfigurationsResult',
  shape: METRICS,
};

export const INTELLIGENT_TIERING_KIND: NumberedKind = {
  name: 'IntelligentTiering',
  prefix: 'intelligent-tiering',
  listRoot: 'ListBucketIntelligentTieringConfigurationsOutput',
  shape: INTELLIGENT_TIERING,
  check: requireTierings,
};

/** Days without access after which an object moves. */
const DAYS: ReadonlyMap<string, { readonly min: number; readonly max: number }> = new Map([
  ['ARCHIVE_ACCESS', { min: 90, max: 730 }],
  ['DEEP_ARCHIVE_ACCESS', { min: 180, max: 730 }],
]);

function requireTierings(root: XmlElement): void {
  const tiers = new Set<string>();
  for (const tiering of root.children.filter(({ name }) => name === 'Tiering')) {
    const tier = childText(tiering, 'AccessTier') ?? '';
    if (tiers.has(tier)) throw malformedXml();
    tiers.add(tier);
    const days = childText(tiering, 'Days') ?? '';
    const range = DAYS.get(tier);
    if (range === undefined || Number(days) < range.min || Number(days) > range.max) {
      throw invalidArgument('The number of days is out of range for the access tier', 'Days', days);
    }
  }
}
