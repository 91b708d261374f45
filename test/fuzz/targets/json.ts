/** Lines of JSON. */
import { JSON_FIELDS } from '../../../src/agent/decoder/json.ts';
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'json' },
      { format: 'json', place: 'hall', collar: 'tom' },
      {
        format: 'json',
        unit: 0.980665,
        fields: { collar: 'id', rssi: 'RSSI', battery: '__proto__', t: 'constructor' },
      },
    ],
    seeds: [
      '{"collar":"C0FFEE01","n":123,"ax":0.01,"ay":-0.02,"az":0.99,"shake":0,"motion":1,"place":"kitchen","rssi":-61,"battery":83}\r\n',
      '{"collar":"A","n":1,"sensor":"s"}\n{"collar":"A","n":1,"sensor":"s"}\n{"collar":"A","n":9}\n',
      '{"id":4711,"RSSI":-70,"t":1352679777000}\n# note\n\n{"motion":true}\nnoise\n',
      '{"collar":"A","t":"2026-01-02T03:04:05.1Z","edges":3,"moves":66,"volt":2.9,"batteryOk":0}\n',
      '{"collar":"A","t":5,"rssi":null,"shake":true}\n{"collar":{"__proto__":[[[[{}]]]]}}\n',
    ].map(bytes),
    words: [
      ...JSON_FIELDS.map((name) => `"${name}":`),
      '"id":',
      '"RSSI":',
      '"__proto__":',
      '"collar":"A"',
      '\r\n',
      '#',
    ],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
