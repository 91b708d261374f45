import { describe, expect, it } from 'vitest';
import type { CentralEvent } from '../../src/central/store/store.ts';
import { createFormat, type FormatName } from '../../src/cli/export-format.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { faultOf } from '../contract/cloud-events.ts';

const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';

function event(change: Partial<StoredEvent> = {}): StoredEvent {
  return {
    ...{ epoch: EPOCH, seq: 1, type: 'collard.meow.ended', version: 1, subject: 'collar/C0FFEE01' },
    ...{ time: '2026-11-23T06:14:09.842Z', clock: 'synced', boot: null, monoMs: null },
    data: '{"durationMs":430,"peakG":1.84,"place":"kitchen"}',
    ...change,
  };
}

function written(name: FormatName, events: readonly (StoredEvent | CentralEvent)[], formulas = false) {
  const format = createFormat(name, formulas);
  const text =
    format.head +
    events
      .map((one) => format.event({ agent: 'porch', event: one, ...('arrival' in one ? { known: one } : {}) }))
      .join('') +
    format.foot();
  return { text, remark: format.remark() };
}

/** RFC 4180, read back. */
function cellsOf(csv: string): string[][] {
  const rows: string[][] = [];
  const row: string[] = [];
  for (const [, quoted, plain = '', end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\r\n') rows.push(row.splice(0));
  }
  return rows;
}

describe('ndjson and cloudevents', () => {
  it('are the events, one a line, and one array of them', () => {
    const events = [event(), event({ seq: 2, data: '{"a":"\u2028"}' })];
    const lines = written('ndjson', events).text.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.slice(0, 2).map((line) => JSON.parse(line))).toMatchObject([
      { seq: 1 },
      { seq: 2, data: { a: '\u2028' } },
    ]);
    expect(JSON.parse(written('cloudevents', events).text)).toEqual(lines.slice(0, 2).map((line) => JSON.parse(line)));
    expect(written('cloudevents', []).text).toBe('[]\n');
    expect(written('ndjson', []).text).toBe('');
  });

  it('cloudevents conforms to the letter, from a log and from a store; a line is as agents send it', () => {
    const unsynced = event({ clock: 'unsynced', boot: 'b7', monoMs: 12.5, type: 'my type' });
    const known = { agent: 'porch', shard: 1, arrival: 1, position: 7, revoked: true, reassignedTo: 2 };
    const corrected = { ...unsynced, ...known, correction: { by: `${EPOCH}/9`, catId: null, reason: 'no' } };
    const batch = JSON.parse(written('cloudevents', [unsynced, corrected]).text) as object[];
    expect(batch.map((one) => faultOf(JSON.stringify(one)))).toEqual([null, null]);
    expect(batch).toMatchObject([{ monoms: '12.5' }, { monoms: '12.5', position: 7 }]);
    const lines = written('ndjson', [unsynced, corrected]).text.trim().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ monoMs: 12.5 });
  });

  it('say what central knows besides', () => {
    const known: CentralEvent = {
      ...event(),
      agent: 'porch',
      shard: 1,
      arrival: 1,
      position: 7,
      revoked: true,
      reassignedTo: null,
      correction: null,
    };
    expect(JSON.parse(written('ndjson', [known]).text)).toMatchObject({ position: 7, revoked: true, seq: 1 });
    expect(cellsOf(written('csv', [known]).text)[1]?.slice(-4, -2)).toEqual(['7', 'true']);
  });
});

describe('an event whose clock was not set', () => {
  const known: CentralEvent = {
    ...event({ clock: 'unsynced', boot: 'b', monoMs: 5 }),
    ...{ originalTime: '1970-01-01T00:00:00.005Z', agent: 'porch', shard: 1, arrival: 1, position: 7 },
    ...{ revoked: false, reassignedTo: null, correction: null },
  };

  it('has the corrected time, and says what its clock said', () => {
    const said = { time: known.time, originaltime: '1970-01-01T00:00:00.005Z' };
    expect(JSON.parse(written('ndjson', [known]).text)).toMatchObject({ ...said, clock: 'unsynced', monoMs: 5 });
    const [cloudEvent] = JSON.parse(written('cloudevents', [known]).text) as object[];
    expect(cloudEvent).toMatchObject(said);
    expect(faultOf(JSON.stringify(cloudEvent))).toBe(null);
    expect(cellsOf(written('csv', [known]).text)[1]?.at(-1)).toBe(said.originaltime);
    expect(written('influx', [known]).text).toContain(` ${Date.parse(known.time)}000000\n`);
  });
});

describe('csv', () => {
  it('has a head, and quotes what must be quoted', () => {
    const data = '{"a":"x,\\"y\\""}';
    const rows = cellsOf(written('csv', [event({ data }), event({ seq: 2, subject: 'collar/a\r\nb"c' })]).text);
    const [head = [], first = [], second = []] = rows;
    expect(head).toEqual(
      'id,agent,epoch,seq,type,version,subject,collar,cat,time,clock,boot,monoMs,position,revoked,data,originalTime'.split(
        ',',
      ),
    );
    expect(rows.every((row) => row.length === head.length)).toBe(true);
    expect(first.slice(-2)).toEqual([data, '']);
    expect(first.slice(0, 5)).toEqual([`${EPOCH}/1`, 'porch', EPOCH, '1', 'collard.meow.ended']);
    expect(second[7]).toBe('a\r\nb"c');
  });

  it('runs no formula in a spreadsheet, and says so', () => {
    const evil = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'].map((type) => event({ type }));
    const { text, remark } = written('csv', evil);
    expect(
      cellsOf(text)
        .slice(1)
        .map((row) => row[4]?.slice(0, 2)),
    ).toEqual(["'=", "'+", "'-", "'@", "'\t", "'\r"]);
    expect(remark).toMatch(/^6 cells/);
    const raw = written('csv', [...evil, event({ clock: 'unsynced', boot: 'b', monoMs: -5.5 })], true);
    expect(raw.remark).toBeNull();
    expect(cellsOf(raw.text)[1]?.[4]).toBe('=1+1');
    // A number is no formula.
    expect(cellsOf(written('csv', [event({ clock: 'unsynced', boot: 'b', monoMs: -5.5 })]).text)[1]?.[12]).toBe('-5.5');
  });
});

describe('influx', () => {
  it('is a point with tags, fields and nanoseconds', () => {
    expect(written('influx', [event()]).text).toBe(
      `collard.meow.ended,agent=porch,collar=C0FFEE01,clock=synced durationMs=430,peakG=1.84,place="kitchen",epoch="${EPOCH}",seq=1i,version=1i 1795414449842000000\n`,
    );
  });

  it('escapes names, tags and texts', () => {
    const odd = event({
      type: 'a b,c=d',
      subject: 'collar/x y,z=\\',
      data: '{"k e=y":"say \\"hi\\" \\\\ \\n","time":1,"on":true,"no":null,"list":[1,"a"]}',
    });
    expect(written('influx', [odd]).text).toBe(
      `a\\ b\\,c=d,agent=porch,collar=x\\ y\\,z\\=/,clock=synced k\\ e\\=y="say \\"hi\\" \\\\ \\\\n",data_time=1,on=true,list="[1,\\"a\\"]",epoch="${EPOCH}",seq=1i,version=1i 1795414449842000000\n`,
    );
    expect(written('influx', [event({ type: '#x', subject: null, data: '{}' })]).text).toMatch(
      /^_#x,agent=porch,clock/,
    );
    expect(written('influx', [event({ subject: 'cat/3' })]).text).toContain(',cat=3,');
  });

  it('no two points of a series have the same time', () => {
    const many = [1, 2, 3].map((seq) => event({ seq }));
    const later = event({ seq: 4, time: '2026-11-23T06:14:09.843Z' });
    const other = event({ seq: 5, subject: 'collar/B' });
    const times = written('influx', [...many, later, other]).text.match(/\d+$/gm);
    expect(times).toEqual(
      ['842000000', '842000001', '842000002', '843000000', '842000000'].map((ns) => `1795414449${ns}`),
    );
  });
});
