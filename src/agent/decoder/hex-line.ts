/**
 * What receivers of radio advertisements write: the payload in hex, alone or with the sender's address before it and the signal
 * strength on either side, separated by spaces, commas or semicolons: `CB:B8:33:4C:88:4F -61 0512FC…`.
 */
import { checkRssi } from './value.ts';

export interface HexLine {
  readonly payload: Buffer;
  /** Hex in capitals without colons, or null. */
  readonly address: string | null;
  readonly rssiDbm?: number;
}

const ADDRESS = /^(?:[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{12}|[0-9a-f]{16})$/i;
const HEX = /^(?:0x)?((?:[0-9a-f]{2})+)$/i;

/** Null where it is none. */
export function parseHexLine(line: string): HexLine | null {
  let payload: string | null = null;
  let address: string | null = null;
  let rssiDbm: number | undefined;
  for (const word of line.split(/[\s,;]+/).reverse()) {
    const hex = HEX.exec(word)?.[1];
    if (payload === null && hex !== undefined) payload = hex;
    else if (address === null && ADDRESS.test(word)) address = word.replace(/[:-]/g, '').toUpperCase();
    else if (rssiDbm === undefined && /^-\d{1,3}$/.test(word)) {
      const checked = checkRssi(Number(word));
      if (typeof checked !== 'number') return null;
      rssiDbm = checked;
    } else return null;
  }
  if (payload === null) return null;
  return { payload: Buffer.from(payload, 'hex'), address, ...(rssiDbm === undefined ? {} : { rssiDbm }) };
}

/** The content of the first structure of this kind in a whole advertisement that begins so; null where there is none. */
export function advertised(bytes: Buffer, kind: number, head: string): Buffer | null {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + (bytes[at] as number);
    if (end === at + 1 || end > bytes.length) return null;
    const content = bytes.subarray(at + 2, end);
    if (bytes[at + 1] === kind && content.toString('hex').startsWith(head)) return content.subarray(head.length / 2);
    at = end;
  }
  return null;
}
