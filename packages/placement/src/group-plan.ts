import type { PlacementGroup } from './cluster-map';
import type { MoveOptions, SlotMove } from './plan-moves';

export interface GroupPlanOptions extends MoveOptions {
  /** Active normal groups wanted of each kind. */
  readonly groupsPerKind: number;
  /** Groups opened at a time when no whole one is left. */
  readonly groupsPerOutage: number;
  /** Groups wanted of each kind inside each zone; more where that has many disks, none with 0. */
  readonly oneZoneGroupsPerKind: number;
  /** Sealed groups that are proven to hold nothing and to be referenced by nothing. */
  readonly drainedGroups: ReadonlySet<number>;
}

export const DEFAULT_GROUP_PLAN_OPTIONS = {
  groupsPerKind: 12,
  groupsPerOutage: 4,
  oneZoneGroupsPerKind: 4,
  backfillsMax: 4,
  nodeGraceMs: 15 * 60_000,
} as const;

export type NewGroup = Omit<PlacementGroup, 'pgId' | 'backfill' | 'state'>;

/** What the root leader should propose now; each step says why. Empty lists when all is well. */
export interface GroupPlan {
  readonly open: readonly { readonly group: NewGroup; readonly reason: string }[];
  readonly seal: readonly {
    readonly pgId: number;
    readonly isSealed: boolean;
    readonly reason: string;
  }[];
  readonly backfill: readonly SlotMove[];
  readonly remove: readonly { readonly pgId: number; readonly reason: string }[];
}
