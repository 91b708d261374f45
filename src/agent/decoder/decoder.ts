/** The decoder of a source, by its format. */
import { type AccelerationUnit, createCsvDecoder } from './csv.ts';
import { createFrameDecoder } from './frame.ts';
import { createJsonDecoder } from './json.ts';
import type { Decoder } from './reading.ts';

/** A part of a source's configuration, which can be passed as it is. */
export interface DecoderOptions {
  readonly format: 'json' | 'csv' | 'frame';
  /** Where this receiver or sensor stands, for readings that do not say it themselves. */
  readonly place?: string | undefined;
  /** The collar of readings that name none. */
  readonly collar?: string | undefined;
  /** json: our field name to theirs. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** csv: the columns in order, where no header line tells them. */
  readonly columns?: readonly string[] | undefined;
  /** csv: unit of acceleration where the column does not tell it. */
  readonly unit?: AccelerationUnit | undefined;
  /** csv: for a calibration, sightings carry what the column `place` says. */
  readonly truth?: boolean | undefined;
}

export function createDecoder(options: DecoderOptions): Decoder {
  switch (options.format) {
    case 'json':
      return createJsonDecoder(options);
    case 'csv':
      return createCsvDecoder(options);
    case 'frame':
      return createFrameDecoder(options);
  }
}
