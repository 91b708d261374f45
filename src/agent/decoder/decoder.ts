/** The decoder of a source, by its format. */
import { createBthomeDecoder } from './bthome.ts';
import { createCayenneDecoder } from './cayenne.ts';
import { createCsvDecoder } from './csv.ts';
import { createFrameDecoder } from './frame.ts';
import { createJsonDecoder } from './json.ts';
import { createMysensorsDecoder } from './mysensors.ts';
import type { Decoder } from './reading.ts';
import { createRflinkDecoder } from './rflink.ts';
import { createRuuviDecoder } from './ruuvi.ts';
import type { SensorsOptions } from './sensor.ts';
import type { AccelerationUnit } from './value.ts';

export const FORMATS = ['json', 'csv', 'frame', 'mysensors', 'rflink', 'ruuvi', 'bthome', 'cayenne'] as const;

/** A part of a source's configuration, which can be passed as it is. */
export interface DecoderOptions extends SensorsOptions {
  readonly format: (typeof FORMATS)[number];
  /** json: our field name to theirs. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** csv: the columns in order, where no header line tells them. */
  readonly columns?: readonly string[] | undefined;
  /** json, csv: unit of acceleration where the column does not tell it. */
  readonly unit?: AccelerationUnit | undefined;
  /** csv: for a calibration, sightings carry what the column `place` says. */
  readonly truth?: boolean | undefined;
  /** bthome: bind keys, 32 hex digits each, by address. */
  readonly bindKeys?: Readonly<Record<string, string>> | undefined;
}

export function createDecoder(options: DecoderOptions): Decoder {
  switch (options.format) {
    case 'json':
      return createJsonDecoder(options);
    case 'csv':
      return createCsvDecoder(options);
    case 'frame':
      return createFrameDecoder(options);
    case 'mysensors':
      return createMysensorsDecoder(options);
    case 'rflink':
      return createRflinkDecoder(options);
    case 'ruuvi':
      return createRuuviDecoder(options);
    case 'bthome':
      return createBthomeDecoder(options);
    case 'cayenne':
      return createCayenneDecoder(options);
  }
}
