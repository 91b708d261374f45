/** A key with its value, as etcd's JSON has it and as it is used here. */

/** Keys and values in base64, long numbers as texts; what is zero is left out. */
export interface WireEntry {
  readonly key: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly lease?: string;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** '0': it stays. */
  readonly lease: string;
}

export function decodeEntry({ key, value = '', create_revision, mod_revision, lease = '0' }: WireEntry): KeyValue {
  return {
    key: decode(key),
    value: decode(value),
    createRevision: Number(create_revision ?? 0),
    modRevision: Number(mod_revision ?? 0),
    lease,
  };
}

export function encodeText(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
