/** What an agent says of its log. */
import { chainHex } from '../../../src/contract/chain.ts';
import { decodeSync, encodeSync } from '../../../src/contract/message.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { CHAIN, EPOCH, isSeq, MESSAGE_WORDS } from './message.ts';

export function open(): FuzzTarget {
  return {
    seeds: [
      `{"epoch":"${EPOCH}","firstSeq":3,"lastSeq":9,"chain":"${CHAIN}"}`,
      `{"epoch":"${EPOCH}","firstSeq":1,"lastSeq":0,"chain":"${CHAIN}","more":[[1]]}`,
      '[]',
    ].map(bytes),
    words: MESSAGE_WORDS,
    maxBytes: 1_024,
    run(input) {
      const message = decodeSync(input);
      if (message === null) return;
      const { epoch, firstSeq, lastSeq, chain } = message;
      hold(isSeq(firstSeq) && isSeq(lastSeq) && firstSeq <= lastSeq + 1, () => `${firstSeq} to ${lastSeq}`);
      hold(epoch.length === 36 && chain.length === 32, () => `epoch ${epoch}, chain ${chainHex(chain)}`);
      const again = decodeSync(bytes(encodeSync(message)));
      hold(JSON.stringify(again) === JSON.stringify(message), () => 'does not come back as it went');
    },
  };
}
