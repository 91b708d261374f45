/** That an agent comes and goes. */
import { decodeState } from '../../../src/contract/message.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { isSeq, MESSAGE_WORDS } from './message.ts';

export function open(): FuzzTarget {
  return {
    seeds: [
      '{"state":"online","session":42,"version":"0.1.0"}',
      `{"state":"offline","session":1,"version":"${'x'.repeat(70)}"}`,
      '{"state":"offline","session":0}',
    ].map(bytes),
    words: MESSAGE_WORDS,
    maxBytes: 512,
    run(input) {
      const message = decodeState(input);
      if (message === null) return;
      const { state, session, version } = message;
      hold(state === 'online' || state === 'offline', () => `state ${state}`);
      hold(isSeq(session) && version.length <= 64, () => `session ${session} of version ${version}`);
      const again = decodeState(bytes(JSON.stringify(message)));
      hold(JSON.stringify(again) === JSON.stringify(message), () => 'does not come back as it went');
    },
  };
}
