/** Events as other programs take them: head, one text an event, foot. Pure, apart from what a format must remember of the events before. */
import { cloudEventText, wireEventText } from '../central/api/cloud-event.ts';
import { encodeCloudEvent, encodeEvent } from '../contract/envelope.ts';
import { catOf, collarOf } from '../contract/event.ts';
import { createInflux, type Memory } from './influx.ts';
import { safe } from './output.ts';
import type { Told } from './tape.ts';

export const FORMATS = ['ndjson', 'csv', 'influx', 'cloudevents'] as const;
export type FormatName = (typeof FORMATS)[number];

export interface Format {
  readonly head: string;
  event(told: Told): string;
  foot(): string;
  /** What a person should know of what was written, or null. */
  remark(): string | null;
  /** What it must know of the events before, for whoever goes on later. Survives JSON. */
  memory(): FormatMemory;
}

export interface FormatMemory {
  readonly events: number;
  readonly marked: number;
  readonly series: Memory;
}

const NOTHING: FormatMemory = { events: 0, marked: 0, series: [] };

/** `formulas`: leave cells as they are that a spreadsheet would take for a formula. `before`: it goes on after these events. */
export function createFormat(name: FormatName, formulas: boolean, before: FormatMemory = NOTHING): Format {
  const plain = { head: '', foot: () => '', remark: () => null, memory: () => before };
  switch (name) {
    case 'ndjson':
      return { ...plain, event: (told) => `${lineOf(told)}\n` };
    case 'cloudevents':
      return createBatch(before);
    case 'csv':
      return createCsv(formulas, before);
    case 'influx': {
      const influx = createInflux(before.series);
      const event = ({ agent, event: one }: Told) => `${influx.line(agent, one)}\n`;
      return { ...plain, event, memory: () => ({ ...before, series: influx.memory() }) };
    }
  }
}

/** As agents send it; of central with what it knows besides. */
function lineOf({ agent, event, known }: Told): string {
  return safe(known === undefined ? encodeEvent(agent, event) : wireEventText(known));
}

/** A CloudEvent to the letter. */
function cloudEventOf({ agent, event, known }: Told): string {
  return safe(known === undefined ? encodeCloudEvent(agent, event) : cloudEventText(known));
}

/** JSON Batch Format of CloudEvents 1.0 (application/cloudevents-batch+json): one array, an event a line. */
function createBatch(before: FormatMemory): Format {
  let { events } = before;
  return {
    head: '[',
    event(told) {
      const text = `${events === 0 ? '' : ','}\n${cloudEventOf(told)}`;
      events += 1;
      return text;
    },
    foot: () => (events === 0 ? ']\n' : '\n]\n'),
    remark: () => null,
    memory: () => ({ ...before, events }),
  };
}

const COLUMNS =
  'id,agent,epoch,seq,type,version,subject,collar,cat,time,clock,boot,monoMs,position,revoked,data,originalTime'.split(
    ',',
  );

/** RFC 4180. */
function createCsv(formulas: boolean, before: FormatMemory): Format {
  let { marked } = before;
  const text = (value: string | null): string => {
    if (value === null) return '';
    // OWASP, "CSV Injection": spreadsheets run what begins like this, and strangers write types, subjects and data.
    const runs = !formulas && /^[=+\-@\t\r]/.test(value);
    if (runs) marked += 1;
    const cell = runs ? `'${value}` : value;
    return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  const number = (value: number | null) => (value === null ? '' : String(value));
  return {
    head: `${COLUMNS.join(',')}\r\n`,
    event({ agent, event, known }) {
      const { epoch, seq, type, version, subject, time, clock, boot, monoMs, data } = event;
      const cells = [
        ...[text(`${epoch}/${seq}`), text(agent), text(epoch), number(seq), text(type), number(version), text(subject)],
        ...[text(collarOf(event)), number(catOf(event)), text(time), text(clock), text(boot), number(monoMs)],
        ...[number(known?.position ?? null), known === undefined ? '' : String(known.revoked), text(data)],
        text(known?.originalTime ?? null),
      ];
      return `${cells.join(',')}\r\n`;
    },
    foot: () => '',
    memory: () => ({ ...before, marked }),
    remark: () =>
      marked === 0
        ? null
        : `${marked} cells that a spreadsheet would run as formulas begin with ' now: --formulas leaves them as they are`,
  };
}
