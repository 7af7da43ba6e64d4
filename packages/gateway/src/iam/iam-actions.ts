import { ACCESS_KEY_ACTIONS } from './access-key-actions';
import { ACCOUNT_ACTIONS } from './account-actions';
import { ATTACHMENT_ACTIONS } from './attachment-actions';
import { GROUP_ACTIONS } from './group-actions';
import type { IamAction } from './iam-action';
import { INLINE_POLICY_ACTIONS } from './inline-policy-actions';
import { OIDC_PROVIDER_ACTIONS } from './oidc-provider-actions';
import { POLICY_ACTIONS } from './policy-actions';
import { ROLE_ACTIONS } from './role-actions';
import { TAG_ACTIONS } from './tag-actions';
import { USER_ACTIONS } from './user-actions';

/** Every action of the IAM API that this gateway has, by its exact name. */
export const IAM_ACTIONS: ReadonlyMap<string, IamAction> = new Map(
  [
    ...USER_ACTIONS,
    ...ACCESS_KEY_ACTIONS,
    ...GROUP_ACTIONS,
    ...ROLE_ACTIONS,
    ...INLINE_POLICY_ACTIONS,
    ...POLICY_ACTIONS,
    ...ATTACHMENT_ACTIONS,
    ...TAG_ACTIONS,
    ...OIDC_PROVIDER_ACTIONS,
    ...ACCOUNT_ACTIONS,
  ].map((action) => [action.name, action]),
);
