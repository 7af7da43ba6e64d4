/** The signature of a POST form (G-12), as its fields say. */
export interface SignedPolicy {
  /** Base64, as it came: the signature covers this text. */
  readonly policy: string;
  readonly algorithm: string;
  readonly credential: string;
  /** `x-amz-date` */
  readonly timestamp: string;
  readonly signatureHex: string;
  readonly sessionToken: string | null;
}

/** The same with Signature Version 2. */
export interface SignedPolicyV2 {
  readonly policy: string;
  readonly accessKeyId: string;
  /** Base64 of 20 bytes. */
  readonly signature: string;
  readonly sessionToken: string | null;
}
