/**
 * Bodies and queries as the routes read them: the parser of the server, the schema of the route, and behind a body the cat
 * service over cats in memory. No connection, no routing, no store: `http` asks those, and is slower for it.
 * The first byte of an input chooses the route; the rest is its body, its query, or what stands in its path.
 */
import { parse as parseQuery } from 'node:querystring';
import { fastify } from 'fastify';
import type { z } from 'zod';
import { reassignBody, revokeBody } from '../../../src/central/api/correction-schema.ts';
import { conflictsQuery, keptPath, keptQuery } from '../../../src/central/api/quarantine-schema.ts';
import {
  catPath,
  changeCatBody,
  eventPath,
  eventsQuery,
  historyQuery,
  locationBody,
  newCatBody,
  stateQuery,
  statsQuery,
} from '../../../src/central/api/schema.ts';
import {
  type CatService,
  MAX_NAME_LENGTH,
  MAX_REASON_LENGTH,
  openCatService,
} from '../../../src/central/cats/cat-service.ts';
import { decodeCursor, decodeTimePlace, encodeCursor, encodeTimePlace } from '../../../src/central/store/cursor.ts';
import { decodeEvent, encodeEvent } from '../../../src/contract/envelope.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { storeOf, TIME } from './cats-in-memory.ts';
import { EPOCH } from './message.ts';

const MAX_ISSUES = 200;
/** What a person is told: the server makes an answer of each. */
const REFUSALS = ['CAT_EXISTS', 'CAT_NOT_FOUND', 'EVENT_NOT_FOUND', 'UNDO_IS_FINAL', 'NOT_OF_A_CAT', 'TAKEN_BACK'];

type Command = (service: CatService) => Promise<unknown>;
type Route =
  | { readonly reads: 'body'; readonly schema: z.ZodType; readonly command: (body: never) => Command }
  | { readonly reads: 'query' | 'path'; readonly schema: z.ZodType };

function body<T>(schema: z.ZodType<T>, command: (body: T) => Command): Route {
  return { reads: 'body', schema, command };
}

const ROUTES: readonly Route[] = [
  body(
    newCatBody,
    ({ name, collar }) =>
      (cats) =>
        cats.addCat(name, collar),
  ),
  body(changeCatBody, ({ name, collar }) => (cats) => {
    return cats.changeCat(2, { ...(name === undefined ? {} : { name }), ...(collar === undefined ? {} : { collar }) });
  }),
  body(
    locationBody,
    ({ location }) =>
      (cats) =>
        cats.updateCatLocation(1, location),
  ),
  body(
    revokeBody,
    ({ epoch, seq, reason }) =>
      (cats) =>
        cats.revoke(epoch, seq, reason),
  ),
  body(
    reassignBody,
    ({ epoch, seq, cat, reason }) =>
      (cats) =>
        cats.reassign(epoch, seq, cat, reason),
  ),
  ...[eventsQuery, statsQuery, historyQuery, stateQuery, keptQuery, conflictsQuery].map(
    (schema): Route => ({ reads: 'query', schema }),
  ),
  ...[catPath, keptPath, eventPath].map((schema): Route => ({ reads: 'path', schema })),
];

export function open(): FuzzTarget {
  const app = fastify();
  const parse = app.getDefaultJsonParser('error', 'error');
  const input = (route: number, text: string) => Buffer.concat([Uint8Array.of(route), bytes(text)]);
  return {
    seeds: [
      input(0, '{"name":"Minka","collar":"C2"}'),
      input(1, '{"name":"Maja","collar":"C1"}'),
      input(2, '{"location":"hall"}'),
      ...[1, 3, 4, 9].map((seq) => input(3, `{"epoch":"${EPOCH}","seq":${seq},"reason":"a dog"}`)),
      ...[1, 3, 4, 5].map((seq) => input(4, `{"epoch":"${EPOCH}","seq":${seq},"cat":2,"reason":"it was Tom"}`)),
      input(5, 'after=p1-1.33-12&limit=10&type=meow.ended,cat.moved&cat=1&from=2026-11-20T08:00%2B01:00'),
      input(
        5,
        'order=desc&before=t2026-11-23T06-14-09-842Z.3.18&collar=C1&agent=porch&to=2027-01-01T00:00:00.123456789Z',
      ),
      input(6, 'by=hour&type=meow.ended&type=cat.moved&tz=Europe/Zurich'),
      input(7, 'limit=5'),
      input(8, 'at=2026-11-20T08:00Z'),
      input(9, 'kind=refused&after=0&limit=3&agent=porch'),
      input(10, 'after=1'),
      ...['1', '1e3', '9007199254740992'].map((no) => input(11, no)),
      input(12, '7'),
      input(13, `${EPOCH}/5`),
    ],
    words: [
      '"name":',
      '"collar":',
      '"location":',
      '"epoch":',
      '"seq":',
      '"cat":',
      '"reason":',
      '"__proto__":',
      '"constructor":{"prototype":1}',
      '\\u0000',
      '\\ud800',
      '%00',
      '%2B',
      'limit=',
      'after=',
      'before=',
      'order=desc',
      'sort=time',
      'type=',
      '&',
      EPOCH,
    ],
    maxBytes: 2_000,
    usualBytes: 200,
    async run(bytesIn) {
      const route = ROUTES[(bytesIn[0] ?? 0) % ROUTES.length] as Route;
      const text = Buffer.from(bytesIn.subarray(1)).toString('utf8');
      if (route.reads === 'body') {
        const sent = parsed(parse, text);
        if (sent === undefined) return;
        const value = checked(route.schema, sent);
        if (value === undefined) return;
        const again = checked(route.schema, JSON.parse(JSON.stringify(value)));
        hold(JSON.stringify(again) === JSON.stringify(value), () => `read again it is ${JSON.stringify(again)}`);
        await obeyed(route.command(value as never));
        return;
      }
      const sent = route.reads === 'query' ? { ...parseQuery(text) } : segments(text);
      const value = checked(route.schema, sent) as Readonly<Record<string, unknown>> | undefined;
      if (value !== undefined) checkQuestion(value);
    },
    async close() {
      await app.close();
    },
  };
}

/** `1` is a number of a cat or a message, `epoch/seq` an event. */
function segments(text: string): Readonly<Record<string, string>> {
  const at = text.indexOf('/');
  if (at < 0) return { id: text, no: text };
  return { epoch: text.slice(0, at), seq: text.slice(at + 1) };
}

/** Undefined where the server refuses it: with an answer of 4xx, and with nothing else. */
function parsed(parse: ReturnType<ReturnType<typeof fastify>['getDefaultJsonParser']>, text: string): unknown {
  let told: Error | null = null;
  let value: unknown;
  // It looks at no request, and answers at once.
  void parse(null as never, text, (error: Error | null, result: unknown) => {
    told = error;
    value = result;
  });
  const status = (told as { statusCode?: number } | null)?.statusCode ?? 200;
  hold(told === null || (status >= 400 && status < 500), () => `refused with ${status}: ${String(told)}`);
  return told === null ? value : undefined;
}

/** Undefined where the schema refuses it, in few words. */
function checked(schema: z.ZodType, sent: unknown): unknown {
  const result = schema.safeParse(sent);
  hold(!('polluted' in {}) && Object.keys(Object.prototype).length === 0, () => 'Object.prototype has changed');
  if (result.success) return result.data;
  const { issues } = result.error;
  const length = issues.reduce((sum, { message, path }) => sum + message.length + path.join('.').length, 0);
  hold(issues.length > 0 && issues.length <= MAX_ISSUES, () => `${issues.length} faults`);
  hold(length < 10_000, () => `${length} characters about ${issues.length} faults`);
  return undefined;
}

function checkQuestion(question: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(question)) {
    if (typeof value === 'number') hold(Number.isSafeInteger(value) && value >= 0, () => `${key} is ${value}`);
    if (typeof value === 'string') hold(value.length <= 4_096, () => `${key} has ${value.length} characters`);
  }
  const { limit, types, type = types, from, to, at, after, before } = question;
  hold(limit === undefined || (Number(limit) >= 1 && Number(limit) <= 1_000), () => `limit ${String(limit)}`);
  hold(!Array.isArray(type) || type.length <= 32, () => `${(type as string[]).length} types`);
  for (const moment of [from, to, at]) {
    const isUtc = moment === undefined || new Date(String(moment)).toISOString() === moment;
    hold(isUtc, () => `the moment ${String(moment)}`);
  }
  for (const cursor of [after, before]) if (typeof cursor === 'string') checkCursor(cursor);
}

/** Of both orders; what is none of ours is refused as that. */
function checkCursor(text: string): void {
  const places = [
    () => encodeCursor(decodeCursor(text)),
    () => {
      const place = decodeTimePlace(text);
      hold(Number.isSafeInteger(place.epochNo) && Number.isSafeInteger(place.seq), () => `a place in ${text}`);
      return encodeTimePlace(place);
    },
  ];
  for (const place of places) {
    try {
      const again = place();
      hold(again.length <= text.length + 1, () => `${text} is ${again}`);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'BAD_CURSOR') throw error;
    }
  }
}

/** A command is refused with a code, or writes events that can be sent and that hold names which people can tell apart. */
async function obeyed(command: Command): Promise<void> {
  const written: NewEvent[] = [];
  const service = openCatService(storeOf(written), () => new Date(TIME));
  try {
    await command(service);
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (!REFUSALS.includes(code) && !code.startsWith('INVALID_')) throw error;
    hold(written.length === 0, () => `refused with ${code} after ${written.length} events`);
    return;
  }
  for (const [i, event] of written.entries()) {
    const sent = { ...event, epoch: EPOCH, seq: i + 1 };
    const text = encodeEvent('central', sent);
    const read = decodeEvent(JSON.parse(text));
    hold(typeof read !== 'string' && encodeEvent('central', read) === text, () => `${text}: ${String(read)}`);
    for (const [key, text] of Object.entries(JSON.parse(event.data) as Record<string, unknown>)) {
      if (typeof text === 'string' && key !== 'epoch') checkWords(key, text);
    }
  }
}

/** By code points, not by the expression under test. */
function checkWords(key: string, text: string): void {
  const points = [...text].map((c) => c.codePointAt(0) ?? 0);
  const limit = key === 'reason' ? MAX_REASON_LENGTH : MAX_NAME_LENGTH;
  hold(points.length >= 1 && points.length <= limit, () => `${key} has ${points.length} characters`);
  hold(text.trim() === text && text.normalize('NFC') === text, () => `${key} is ${JSON.stringify(text)}`);
  const bad = points.find(
    (p) => p < 0x20 || (p >= 0x7f && p < 0xa0) || (p >= 0xd800 && p < 0xe000) || p === 0x2028 || p === 0x2029,
  );
  hold(bad === undefined, () => `${key} holds ${bad?.toString(16)}`);
}
