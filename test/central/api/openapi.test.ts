/** The description of the API against what the API does: every operation, every answer. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faultOf } from '../../contract/cloud-events.ts';
import { createSender, type Serving, startServing } from './serving.ts';
import { type Asked, TOUR_TIME, tour } from './tour.ts';

interface Media {
  readonly schema?: object;
  readonly example?: unknown;
}
interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

/** It does not end: looked at by itself. */
const STREAM = 'GET /api/v1/stream';
/** No JSON. */
const PICTURE = 'GET /api/v1/cats/{id}/picture';

let central: Serving;
let asked: readonly Asked[] = [];
let operations: ReadonlyMap<string, Operation> = new Map();
let compile: (schema: object) => ValidateFunction;
beforeAll(async () => {
  central = await startServing({ clock: () => TOUR_TIME });
  asked = await tour(central);
  const { body: doc } = await central.call('GET', '/api/openapi.json');
  expect(doc.openapi).toBe('3.1.0');
  const ajv = formats.default(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: 'doc', components: doc.components });
  compile = (schema) =>
    ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/')));
  operations = new Map(
    Object.entries(doc.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ]),
    ),
  );
}, 120_000);
afterAll(() => central.stop());

const mediaOf = (operation: Operation | undefined, status: number, type: string) =>
  operation?.responses[String(status)]?.content?.[type.split(';')[0] ?? ''];

describe('each operation', () => {
  test('was asked, and has answered what it should', () => {
    const answered = new Set(asked.filter(({ answer }) => answer.status < 300).map(({ operation }) => operation));
    expect([...answered, STREAM, PICTURE].sort()).toEqual([...operations.keys()].sort());
  });

  test('answers with nothing but what is described', () => {
    const checks = new Map<object, ValidateFunction>();
    for (const { operation, answer } of asked) {
      const where = `${operation} ${answer.status} ${answer.text.slice(0, 300)}`;
      const schema = mediaOf(operations.get(operation), answer.status, answer.type)?.schema;
      expect(schema, where).toBeDefined();
      const check = checks.get(schema as object) ?? compile(schema as object);
      checks.set(schema as object, check);
      expect([check(answer.body), check.errors], where).toEqual([true, null]);
    }
    expect(asked.length).toBeGreaterThan(2 * operations.size);
  });

  test('takes in what is described, and refuses what is not', () => {
    for (const { operation, body, answer } of asked) {
      const schema = operations.get(operation)?.requestBody?.content['application/json']?.schema;
      if (schema === undefined || body === undefined) continue;
      const fits = compile(schema)(body);
      if (answer.status < 300) expect(fits, `${operation} ${JSON.stringify(body)}`).toBe(true);
      // What only the whole can tell is refused though it fits: a name that is taken, a key that is none.
      if (!fits) expect(answer.status).toBe(400);
    }
  });

  test('says what it does, names the parts of its path, and shows an example of each body', () => {
    for (const [name, operation] of operations) {
      expect(operation.summary, name).toMatch(/^[A-Z]/);
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, part]) => part);
      const told = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(told.sort(), name).toEqual(inPath.sort());
      if (name === STREAM || name === PICTURE) continue;
      const given = operation.responses[operation.responses['200'] === undefined ? '201' : '200'];
      const medias = [operation.requestBody?.content, given?.content].filter((content) => content !== undefined);
      expect(medias.length, name).toBe(operation.requestBody === undefined ? 1 : 2);
      for (const content of medias) {
        const { schema, example } = content?.['application/json'] ?? {};
        expect(example, name).toBeDefined();
        const check = compile(schema as object);
        expect([check(example), check.errors], `${name} ${JSON.stringify(example)}`).toEqual([true, null]);
      }
    }
  });
});

describe('events for others', () => {
  test('are CloudEvents to the letter, in pages, alone and corrected', () => {
    const events = asked
      .filter(({ operation, answer }) => /^GET \/api\/v1\/events/.test(operation) && answer.status === 200)
      .flatMap(({ answer }) => (answer.body.events as object[] | undefined) ?? [answer.body]);
    expect(events.length).toBeGreaterThan(8);
    for (const event of events) expect(faultOf(JSON.stringify(event)), JSON.stringify(event)).toBeNull();
    expect(JSON.stringify(events)).toContain('"correctedby"');
  });

  test('are so in the stream, whose type is described', async () => {
    expect(mediaOf(operations.get(STREAM), 200, 'text/event-stream')).toBeDefined();
    const stop = new AbortController();
    const response = await fetch(new URL('api/v1/stream', central.url), { signal: stop.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const epoch = '01a20867-068a-70da-b9ee-759f41bde6a9';
    await createSender(central, 'attic', epoch).send('meow.started', 'collar/C0FFEE01', { level: 1 }, TOUR_TIME);
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (/event: event\ndata: .*\n\n/.test(text)) break;
    }
    stop.abort();
    const [, data = ''] = /event: event\ndata: (.*)\n\n/.exec(text) ?? [];
    expect([JSON.parse(data).source, faultOf(data)]).toEqual(['/collard/agent/attic', null]);
  });
});
