import type { TextRule } from '../query/query-parameters';

/** Quotas of an account as AWS has them, and what `GetAccountSummary` tells of them. */
export const USERS_MAX = 5_000;
export const GROUPS_MAX = 300;
export const ROLES_MAX = 1_000;
export const POLICIES_MAX = 1_500;
export const OIDC_PROVIDERS_MAX = 100;
export const ACCESS_KEYS_PER_USER_MAX = 2;
export const GROUPS_PER_USER_MAX = 10;
export const ATTACHED_POLICIES_MAX = 10;
export const POLICY_VERSIONS_MAX = 5;
export const TAGS_MAX = 50;
export const CLIENT_IDS_MAX = 100;
export const THUMBPRINTS_MAX = 5;

/** Characters that are not blank; of inline policies, all of a holder together. */
export const USER_POLICY_LENGTH_MAX = 2_048;
export const GROUP_POLICY_LENGTH_MAX = 5_120;
export const ROLE_POLICY_LENGTH_MAX = 10_240;
export const MANAGED_POLICY_LENGTH_MAX = 6_144;
export const TRUST_POLICY_LENGTH_MAX = 2_048;

export const SESSION_SECONDS_MIN = 3_600;
export const SESSION_SECONDS_MAX = 43_200;

/** `__proto__` is the one name that a record cannot hold: another would be stored in its place. */
const NAME = /^(?!__proto__$)[\w+=,.@-]+$/;
export const USER_NAME: TextRule = { lengthMax: 64, pattern: NAME };
export const GROUP_NAME: TextRule = { lengthMax: 128, pattern: NAME };
export const ROLE_NAME: TextRule = { lengthMax: 64, pattern: NAME };
export const POLICY_NAME: TextRule = { lengthMax: 128, pattern: NAME };
/** Names in requests about what exists may be longer than what can be made. */
export const EXISTING_NAME: TextRule = { lengthMax: 128, pattern: NAME };
export const PATH: TextRule = { lengthMax: 512, pattern: /^(?:\/|\/[\u0021-\u007e]+\/)$/ };
export const PATH_PREFIX: TextRule = { lengthMax: 512, pattern: /^\/[\u0021-\u007f]*$/ };
export const DOCUMENT: TextRule = {
  lengthMax: 131_072,
  pattern: /^[\u0009\u000a\u000d\u0020-\u00ff]+$/,
};
export const ARN: TextRule = { lengthMin: 20, lengthMax: 2_048 };
export const ACCESS_KEY_ID: TextRule = { lengthMin: 8, lengthMax: 128, pattern: /^[\w-]+$/ };
export const VERSION_ID: TextRule = {
  lengthMax: 32,
  pattern: /^v[1-9][0-9]*(?:\.[A-Za-z0-9-]*)?$/,
};
export const ROLE_DESCRIPTION: TextRule = {
  lengthMin: 0,
  lengthMax: 1_000,
  pattern: /^[\u0009\u000a\u000d\u0020-\u007e\u00a1-\u00ff]*$/,
};
export const POLICY_DESCRIPTION: TextRule = { lengthMin: 0, lengthMax: 1_000 };
export const TAG_KEY: TextRule = {
  lengthMax: 128,
  pattern: /^(?!__proto__$)[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u,
};
export const TAG_VALUE: TextRule = {
  lengthMin: 0,
  lengthMax: 256,
  pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
};
