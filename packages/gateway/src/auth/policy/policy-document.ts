import type { Condition } from './condition';
import type { PolicyPattern } from './policy-pattern';
import type { PrincipalElement } from './policy-principal';

/**
 * `identity`: of users, groups, roles and managed policies, and session policies and boundaries ·
 * `resource`: of buckets · `trust`: who may assume a role.
 */
export type PolicyKind = 'identity' | 'resource' | 'trust';

/** Actions or resources, or everything but them. */
export interface PatternElement {
  readonly isNegated: boolean;
  readonly patterns: readonly PolicyPattern[];
}

export interface Statement {
  readonly sid: string | null;
  readonly effect: 'Allow' | 'Deny';
  /** Null in identity policies, which are for whoever has them. */
  readonly principal: PrincipalElement | null;
  readonly action: PatternElement;
  /** Null in trust policies, which are about the role that has them. */
  readonly resource: PatternElement | null;
  /** All must hold. */
  readonly conditions: readonly Condition[];
}

/** A policy after parsing: checked, compiled, never changed. */
export interface PolicyDocument {
  readonly kind: PolicyKind;
  readonly version: '2008-10-17' | '2012-10-17';
  readonly statements: readonly Statement[];
  /** True when a condition or variable asks for the tags of the object that is acted upon. */
  readonly readsObjectTags: boolean;
}
