/** What the targets of messages share. */
import { chainHex, chainStart } from '../../../src/contract/chain.ts';

export const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';
export const CHAIN = chainHex(chainStart('porch', EPOCH));

export const MESSAGE_WORDS: readonly string[] = [
  '"epoch":',
  '"seq":',
  '"firstSeq":',
  '"lastSeq":',
  '"chain":',
  '"need":',
  '"incarnation":',
  '"state":"online"',
  '"session":',
  '"version":',
  '[[1,2],[5,5]]',
  '[1,9007199254740991]',
  '9007199254740991',
  EPOCH,
  CHAIN,
];

export function isSeq(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
